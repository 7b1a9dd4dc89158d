import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../hotbags/port.ts";
import { type AlertHook, startAlertHook } from "../../sidecar/alert-hook.ts";
import { until } from "../../until.ts";
import { shop } from "./shop.ts";

// What the operator's webhook gets when something breaks on the real gateway, and when it works again. That it died, and that a phone has
// logged it out, are in the suites where that happens.

let hook: AlertHook;

beforeAll(async () => {
  hook = await startAlertHook();
  const atOnce = { ALERT_DOWN_MINUTES: "0", ALERT_CALM_SECONDS: "0" };
  await shop.sidecar.restart({ ALERT_WEBHOOK_URL: hook.url, ...atOnce });
  await shop.healthy();
}, 120_000);
afterAll(async () => {
  const asBefore = { ALERT_WEBHOOK_URL: undefined, ALERT_DOWN_MINUTES: undefined, ALERT_CALM_SECONDS: undefined };
  await shop.sidecar.restart({ ...asBefore, HOTBAGS_BASE_URL: shop.hotbags.url });
  await shop.healthy();
  hook.close();
}, 120_000);

/** Resolves with the first notice from there on that is of this kind and state, and has these details. */
async function told(kind: string, state: string, from: number, timeoutMs = 60_000, details: object = {}) {
  const isIt = (notice: Record<string, unknown>) =>
    Object.entries({ alert: kind, state, ...details }).every(([name, value]) => notice[name] === value);
  return await until(`${kind} is ${state}`, () => hook.alerts.slice(from).find(isIt), timeoutMs);
}

it("the connection to WhatsApp breaks, and comes back", async () => {
  const from = hook.alerts.length;
  shop.whatsapp.refuse(true);
  try {
    shop.whatsapp.drop("outlet");
    const down = await told("whatsapp_down", "started", from, 60_000, { account: "outlet" });
    expect(down).toMatchObject({ severity: "critical", account_state: expect.stringMatching(/^(re)?connecting$/) });
  } finally {
    shop.whatsapp.refuse(false);
  }
  const over = await told("whatsapp_down", "over", from, 90_000, { account: "outlet" });
  expect(over["text"]).toMatch(/^Over after \d+ s.*: WhatsApp is not connected \(outlet\)\.$/);
  await shop.healthy();
});

it("Hot Bags refuses the token, and takes it again", async () => {
  const from = hook.alerts.length;
  const [anna, ben] = [shop.newCustomer(), shop.newCustomer()];
  const lift = shop.hotbags.faultFor(() => true, { status: 401 }, Number.POSITIVE_INFINITY);
  await anna.says("do you take this?");
  await ben.says("or this?");
  expect(await told("hot_bags", "started", from)).toMatchObject({
    ...{ fault: "credentials", status: 401, text: expect.stringContaining("check HOTBAGS_BEARER_TOKEN") },
  });
  lift();
  expect((await told("hot_bags", "over", from))["text"]).toContain("Hot Bags takes no message (credentials)");
});

it("Hot Bags is not there for longer than a minute; that it is back is told though the sidecar was restarted in between", async () => {
  const from = hook.alerts.length;
  const anna = shop.newCustomer();
  await shop.sidecar.restart({ HOTBAGS_BASE_URL: `http://127.0.0.1:${await freePort()}` });
  await shop.healthy();
  await anna.says("is anybody there?");
  expect(await told("hot_bags", "started", from, 110_000)).toMatchObject({
    ...{ fault: "backend", status: null, text: expect.stringContaining("can't be reached (ECONNREFUSED)") },
  });
  await shop.sidecar.restart({ HOTBAGS_BASE_URL: shop.hotbags.url });
  await shop.hotbags.receives("is anybody there?", { timeoutMs: 60_000 });
  await told("hot_bags", "over", from);
  const ofHotBags = hook.alerts.slice(from).filter(({ alert }) => alert === "hot_bags");
  expect(ofHotBags.map(({ state }) => state)).toEqual(["started", "over"]);
}, 240_000);

it("the disk fills up, and there is room again, over restarts of the sidecar in between", async () => {
  const from = hook.alerts.length;
  // Fuller than any disk of a test's machine can be.
  await shop.sidecar.restart({ BRIDGE_LOW_DISK_BYTES: String(1024 ** 4) });
  expect(await told("disk", "started", from)).toMatchObject({ severity: "critical", folder: shop.stateDir });
  expect((await shop.health()).status).toBe(503);
  await shop.sidecar.restart({ BRIDGE_LOW_DISK_BYTES: "0" });
  await told("disk", "over", from);
  await shop.healthy();
  expect(hook.alerts.slice(from).filter(({ alert }) => alert === "disk")).toHaveLength(2);
});
