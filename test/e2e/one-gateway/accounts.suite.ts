import { describe, expect, it } from "vitest";
import type { Message } from "../../hotbags/index.ts";
import { connectOperator } from "../../openclaw/operator.ts";
import { BOT_NUMBER } from "../../shop/shop.ts";
import { until } from "../../until.ts";
import { shop } from "./shop.ts";

// One gateway with two bots, `default` and `outlet`. The last tests leave `outlet` logged out and `default` linked to another phone.

const NEW_NUMBER = "+15559990088";

const customer = () => shop.newCustomer();

const counts = async () => (await shop.health()).body["commands"] as Record<string, number>;
const accountStates = async () =>
  ((await shop.health()).body["gateway"] as { accounts: Record<string, string> }).accounts;
const echo = (prefix: string) => shop.hotbags.answers(({ message_id, text }) => [reply(message_id, prefix + text)]);
const reply = (id: string, text: string) => ({ command_id: `${id}-1`, type: "send_text", text });
const holdOutlet = () =>
  shop.hotbags.faultFor(
    (message: Message) => message.transport_session_id === "whatsapp:outlet",
    { status: 503 },
    Number.POSITIVE_INFINITY,
  );
const reachedHotBags = (id: string) => until(`Hot Bags was asked about ${id}`, () => asked(id) !== undefined);
const asked = (id: string) => shop.hotbags.requests.find(({ key }) => key === id);

it("health tells of each account", async () => {
  const connected = { default: "WhatsApp is connected.", outlet: "WhatsApp is connected." };
  await until("the gateway was asked for its accounts", async () => "outlet" in (await accountStates()), 20_000);
  expect(await accountStates()).toEqual(connected);
});

describe("a customer who writes to both accounts", () => {
  it("reaches Hot Bags with the account in the session id, and hears the reply from that account", async () => {
    const anna = customer();
    echo("You wrote: ");
    for (const account of ["default", "outlet"]) {
      const sent = await anna.says(`to ${account}`, { to: account });
      const heard = await anna.hears(`You wrote: to ${account}`);
      expect(heard.accountId).toBe(account);
      expect(asked(sent.id)?.headers["x-transport-session-id"]).toBe(`whatsapp:${account}`);
      expect(asked(sent.id)?.body).toMatchObject({
        transport_session_id: `whatsapp:${account}`,
        chat_id: anna.number,
        from: anna.number,
      });
    }
  });

  it("has a lane with each: while one waits for Hot Bags the other goes on", async () => {
    const anna = customer();
    echo("");
    const lift = holdOutlet();
    const first = await anna.says("outlet 1", { to: "outlet" });
    // Only now: a first burst of somebody new is put out of order by Baileys.
    await reachedHotBags(first.id);
    await anna.says("outlet 2", { to: "outlet" });
    for (const text of ["default 1", "default 2", "default 3"]) {
      await anna.says(text, { to: "default" });
      await anna.hears(text);
    }
    expect(anna.heard.map(({ accountId }) => accountId)).toEqual(["default", "default", "default"]);
    lift();
    await anna.hears("outlet 2");
    expect(anna.heard.slice(3).map(({ text, accountId }) => [text, accountId])).toEqual([
      ["outlet 1", "outlet"],
      ["outlet 2", "outlet"],
    ]);
  });
});

describe("a group with both accounts in it", () => {
  it("is one chat for Hot Bags: a message is asked about once, and answered by the account whose copy came first", async () => {
    const anna = customer();
    const group = shop.newGroup({ members: [anna] });
    echo("You wrote: ");
    for (const [n, [first, second]] of [["default", "outlet"] as const, ["outlet", "default"] as const].entries()) {
      const text = `group ${n}`;
      const { id } = await anna.says(text, { in: group, to: first });
      expect((await group.hears(`You wrote: ${text}`)).accountId).toBe(first);
      await anna.says(text, { in: group, to: second, id });
      await until(`the copy of ${second} is known`, () =>
        shop.sidecar.lines.some(
          (line) =>
            line["message_id"] === id &&
            line["transport_session_id"] === `whatsapp:${second}` &&
            line["msg"] === "message was here already",
        ),
      );
      expect(shop.hotbags.requests.filter(({ key }) => key === id)).toHaveLength(1);
    }
    expect(group.heard).toHaveLength(2);
    expect((await shop.health()).body["messages"]).toMatchObject({ dead: 0, pending: 0 });
  });
});

describe("one account is away", () => {
  it("its replies wait until it is back, and the other's go", async () => {
    const { in_doubt, queued_by_gateway } = await counts();
    const anna = customer();
    const ben = customer();
    echo("");
    const lift = holdOutlet();
    const sent = await anna.says("from the outlet", { to: "outlet" });
    await reachedHotBags(sent.id);
    shop.whatsapp.refuse(true);
    shop.whatsapp.drop("outlet");
    await until("its drop is known", async () => !/is connected/.test((await accountStates())["outlet"] ?? ""), 20_000);
    lift();
    await until("the reply waits", async () => (await counts())["pending"] === 1, 20_000);
    await ben.says("from the shop");
    expect((await ben.hears("from the shop")).accountId).toBe("default");
    expect(anna.heard).toEqual([]);
    shop.whatsapp.refuse(false);
    expect((await anna.hears("from the outlet", { timeoutMs: 60_000 })).accountId).toBe("outlet");
    expect(await counts()).toMatchObject({ in_doubt, queued_by_gateway });
  });

  it("logged out on the phone: health says what to do, its replies wait, and the other account goes on", async () => {
    const anna = customer();
    const ben = customer();
    echo("");
    const lift = holdOutlet();
    const sent = await anna.says("too late", { to: "outlet" });
    await reachedHotBags(sent.id);
    await shop.whatsapp.logout("outlet");
    await until("the logout is known", async () =>
      /openclaw channels login --channel whatsapp --account outlet /.test((await accountStates())["outlet"] ?? ""),
    );
    lift();
    await until("the reply waits", async () => (await counts())["pending"] === 1, 20_000);
    await ben.says("still open?");
    expect((await ben.hears("still open?")).accountId).toBe("default");
    const { status, body } = await shop.health();
    expect(status).toBe(503);
    expect(body["problems"]).toEqual([expect.stringMatching(/^account outlet: The phone has logged this device out/)]);
    const alerts = () => shop.sidecar.lines.filter((line) => line["alert"] === "logged_out");
    await until("the operator is told", () => alerts().length > 0);
    expect(alerts()).toEqual([
      expect.objectContaining({
        ...{ level: "error", alarm: true, alert_state: "started", account: "outlet" },
        msg: expect.stringContaining("openclaw channels login --channel whatsapp --account outlet"),
      }),
    ]);
    expect(anna.heard).toEqual([]);
  });

  it("linked to another phone: what waits for the old number's customers is held until the operator allows it", async () => {
    const { gateway, whatsapp, sidecar, hotbags } = shop;
    const anna = customer();
    const ben = customer();
    echo("");
    const lift = hotbags.faultFor(({ from }) => from === anna.number, { status: 503 }, Number.POSITIVE_INFINITY);
    const sent = await anna.says("to the old number");
    await reachedHotBags(sent.id);
    await whatsapp.logout();
    await until("the logout is known", async () => /logged this device/.test((await accountStates())["default"] ?? ""));
    lift();
    const from = sidecar.lines.length;
    await whatsapp.link(gateway.stateDir, { number: NEW_NUMBER });
    const operator = await connectOperator(gateway);
    await operator.request("channels.start", { channel: "whatsapp", accountId: "default" });
    await operator.close();
    await whatsapp.online(60_000);
    const held = async () =>
      ((await shop.health()).body["problems"] as string[]).find((problem) => problem.includes("another phone number"));
    await until("its reply is held", async () => (await held()) !== undefined, 30_000);
    expect(await held()).toMatch(
      /^replies of 1 chat wait: account default .*\(\+1555…88\).*\(\+1555…00\).*BRIDGE_FORMER_NUMBERS/,
    );
    const alerts = () => sidecar.lines.slice(from).filter((line) => line["alert"] === "number");
    await until("the operator is told", () => alerts().length > 0);
    expect(alerts()).toEqual([
      expect.objectContaining({ account: "default", written_to: "+1555…00", linked: "+1555…88" }),
    ]);
    await ben.says("is this your new number?");
    await ben.hears("is this your new number?", { timeoutMs: 30_000 });
    expect(anna.heard).toEqual([]);

    await sidecar.restart({ BRIDGE_FORMER_NUMBERS: BOT_NUMBER });
    await anna.hears("to the old number", { timeoutMs: 60_000 });
    expect(anna.heard).toHaveLength(1);
    expect(await held()).toBeUndefined();
  });
});
