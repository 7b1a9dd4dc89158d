import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { CONNECTED } from "../gateway/scripted-gateway.ts";
import { runHotbags, startHotbags } from "../shop/hotbags-command.ts";
import { readCode } from "../shop/terminal-code.ts";
import { until } from "../until.ts";
import { CODES } from "./codes.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// What an operator does with a phone in the other hand: `hotbags relink`, and `hotbags pair-check`.

// Each command is a process of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 90_000 });

const LOGGED_OUT = { ...CONNECTED, connected: false, running: false, healthState: "logged-out" };

let shop: ShopWithOperator;

beforeAll(async () => {
  shop = await ShopWithOperator.start();
});
afterAll(() => shop.close());
beforeEach(async () => {
  shop.gateway.accounts = [CONNECTED];
  await until("it is healthy", async () => (await shop.sidecar.health()).body.ok, 30_000);
});

const run = (...args: string[]) => runHotbags(shop.sidecar.dir, ...args);
const start = (...args: string[]) => startHotbags({ BRIDGE_STATE_DIR: shop.sidecar.dir }, args);

async function logOut() {
  shop.gateway.accounts = [LOGGED_OUT];
  const account = async () => (await shop.health<{ gateway: { accounts: object } }>()).gateway.accounts;
  await until("it is known", async () => JSON.stringify(await account()).includes("logged this device out"), 30_000);
}

describe("hotbags relink", () => {
  it("says that no account needs it, and leaves a connected one alone", async () => {
    const logins = () => shop.gateway.asked.filter(({ method }) => method.startsWith("web.login")).length;
    const before = logins();
    const [any, named, strange] = await Promise.all([
      run("relink"),
      run("relink", "default", "--qr"),
      run("relink", "x"),
    ]);
    expect(any).toEqual({ code: 0, stdout: "", stderr: "No account needs it: each is linked to a phone.\n" });
    expect(named).toMatchObject({ code: 1, stderr: expect.stringContaining("account default is connected") });
    expect(strange).toMatchObject({ code: 1, stderr: 'hotbags: OpenClaw has no account "x": it has default\n' });
    expect(logins()).toBe(before);
  });

  it("gives up no link that may work: one that is being connected again", async () => {
    const before = shop.gateway.asked.length;
    shop.gateway.accounts = [{ ...CONNECTED, connected: false }];
    const account = async () => (await shop.health<{ gateway: { accounts: object } }>()).gateway.accounts;
    await until("it is known", async () => JSON.stringify(await account()).includes("is trying again"), 30_000);
    expect(await run("relink", "default", "--qr")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there is no code: The connection to WhatsApp broke; OpenClaw is trying again."),
    });
    const asked = shop.gateway.asked.slice(before);
    expect(asked.filter(({ method }) => method.startsWith("web.login"))).toEqual([]);
  });

  it("names the account and the command, and waits until it is connected", async () => {
    await logOut();
    const relink = start("relink", "--for", "5m");
    await until("it waits", () => relink.said.includes("Waiting until it is connected"), 30_000);
    expect(relink.said).toMatch(/^Account default: The phone has logged this device out of WhatsApp/);
    expect(relink.said).toContain("\n    openclaw channels login --channel whatsapp --account default\n");
    shop.gateway.accounts = [CONNECTED];
    const { code, stderr } = await relink.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining("Account default is connected.") });
  });

  it("shows the code here, and another one in its place, until a phone has scanned it", async () => {
    await logOut();
    const scanned = Promise.withResolvers<void>();
    const waits: unknown[] = [];
    shop.gateway.login = async (method, { currentQrDataUrl, accountId, force }) => {
      if (method === "web.login.start") {
        expect([accountId, force]).toEqual(["default", true]);
        return { qrDataUrl: CODES["the first code"], message: "Scan this QR in WhatsApp → Linked Devices." };
      }
      waits.push(currentQrDataUrl);
      if (waits.length === 1) return { connected: false, message: "Still waiting for the QR scan. Let me know." };
      if (waits.length === 2)
        return { connected: false, qrDataUrl: CODES["the second code"], message: "QR refreshed." };
      await scanned.promise;
      shop.gateway.accounts = [CONNECTED];
      return { connected: true, message: "✅ Linked! WhatsApp is ready." };
    };
    const relink = start("relink", "--qr", "--for", "1m");
    await until("it shows the second code", () => readCode(relink.said) === "the second code", 30_000);
    const [first = ""] = relink.said.split("It changes within a minute");
    expect(readCode(first)).toBe("the first code");
    scanned.resolve();
    expect((await relink.ended).code).toBe(0);
    expect(waits).toEqual([CODES["the first code"], CODES["the first code"], CODES["the second code"]]);
    expect(JSON.stringify(shop.sidecar.lines)).not.toContain("base64");
  });

  it("says why there is no code", async () => {
    await logOut();
    shop.gateway.login = () => ({ message: "Failed to get QR: Error: Timed out waiting for WhatsApp QR" });
    expect(await run("relink", "--qr")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("there is no code: Failed to get QR: Error: Timed out"),
    });
    shop.gateway.login = () => ({ qrDataUrl: "data:image/png;base64,AAAA", message: "" });
    expect(await run("relink", "--qr")).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("no picture that can be read: use it without --qr"),
    });
  });
});

describe("hotbags pair-check", () => {
  it("follows a message from the phone that is named to Hot Bags and back, and judges", async () => {
    const check = start("pair-check", "--from", ANNA, "--for", "1m", "--json");
    await until("it waits", () => check.said.includes(`from ${ANNA}`), 30_000);
    await shop.plugin.handIn(messageOf("of-ben", BEN));
    await shop.plugin.handIn(messageOf("of-anna", ANNA));
    const { code, stdout } = await check.ended;
    expect(JSON.parse(stdout)).toEqual({
      ok: true,
      steps: [
        expect.stringMatching(/^taken from the plugin at .*, as message \d+$/),
        expect.stringMatching(/^Hot Bags answered 200 in \d+ m?s, with 1 command$/),
        expect.stringMatching(/^command \d+ \(send_text\): sent at /),
      ],
      judgement: "The whole way works. See on the phone that the reply is there.",
    });
    expect(code).toBe(0);
  });

  it("says where it is stuck", async () => {
    const nothing = await run("pair-check", "--for", "1s");
    expect(nothing).toMatchObject({ code: 1, stdout: expect.stringMatching(/^Nothing has come\. .*allowFrom/) });
    // An id that belongs to another chat: the message is a dead letter at once.
    await shop.plugin.handIn(messageOf("taken", BEN));
    const check = start("pair-check", "--from", ANNA, "--for", "1m");
    await until("it waits", () => check.said.includes(`from ${ANNA}`), 30_000);
    await shop.plugin.handIn(messageOf("taken", ANNA));
    const { code, stdout } = await check.ended;
    expect({ code, stdout }).toMatchObject({ code: 1 });
    expect(stdout).toMatch(/^taken from the plugin .*\nnot taken by Hot Bags in 0 attempts: .*another chat/);
    expect(stdout).toMatch(/Hot Bags has not got it: hotbags doctor, and hotbags messages show \d+\.\n$/);
  });
});
