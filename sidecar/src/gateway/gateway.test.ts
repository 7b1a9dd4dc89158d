import { pino } from "pino";
import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { CONNECTED, ScriptedGateway, GATEWAY_TOKEN as TOKEN } from "../../../test/gateway/scripted-gateway.ts";
import { systemClock } from "../clock.ts";
import { openGateway } from "./gateway.ts";
import type { GatewayTiming } from "./types.ts";

const call = { method: "send", params: { message: "hello" } } as const;
const hello = { accountId: "default", to: "+15550001", call, commandId: "c1" };

let lines: string[] = [];
afterEach(() => {
  expect(lines.join("")).not.toContain(TOKEN);
  expect(lines.join("")).not.toContain("15550001");
  lines = [];
});

async function startPeer(): Promise<ScriptedGateway> {
  const peer = await new ScriptedGateway().start();
  onTestFinished(() => peer.stop());
  return peer;
}

function open(peer: { port: number }, timing: Partial<GatewayTiming> = {}, uptimeMs = () => performance.now()) {
  const log = pino({ level: "trace" }, { write: (line: string) => lines.push(line) });
  const gateway = openGateway({
    url: `ws://127.0.0.1:${peer.port}`,
    token: TOKEN,
    log,
    timing: { pollMs: 10, reconnectMinMs: 5, reconnectMaxMs: 20, refusedRetryMs: 20, sendTimeoutMs: 5_000, ...timing },
    clock: { ...systemClock, uptimeMs },
  });
  onTestFinished(() => gateway.close());
  return gateway;
}

const until = (probe: () => void) => vi.waitFor(probe, { timeout: 5_000, interval: 5 });

it("may send once the gateway says that WhatsApp is connected, and not before", async () => {
  const peer = await startPeer();
  peer.accounts = [
    { ...CONNECTED, connected: false, healthState: "reconnecting" },
    { accountId: "second", enabled: false },
  ];
  const gateway = open(peer);
  const seen: string[] = [];
  gateway.onChange(({ link, accounts }) => seen.push([link, accounts.get("default")?.code].join(" ")));
  expect(gateway.state).toMatchObject({ link: "connecting", process: null });
  await until(() => expect(gateway.state.accounts.get("default")?.code).toBe("reconnecting"));
  expect(gateway.state.accounts.get("second")?.code).toBe("disabled");
  expect(gateway.canSend("default")).toBe(false);
  peer.accounts = [CONNECTED];
  await until(() => expect(gateway.canSend("default")).toBe(true));
  expect(gateway.canSend("another")).toBe(false);
  expect(seen).toEqual(["up ", "up reconnecting", "up connected"]);
});

it("knows the number of OpenClaw's default account, tells of a change, and keeps it while it isn't told", async () => {
  const peer = await startPeer();
  peer.number = "+15559990000";
  peer.accounts = [CONNECTED, { ...CONNECTED, accountId: "second" }];
  const gateway = open(peer);
  const seen: unknown[] = [];
  gateway.onChange(({ accounts }) => seen.push(accounts.get("default")?.number));
  await until(() => expect(gateway.state.accounts.get("default")?.number).toBe("+15559990000"));
  expect(gateway.state.accounts.get("second")?.number).toBeNull();
  peer.number = "+15559990077";
  await until(() => expect(seen.at(-1)).toBe("+15559990077"));
  peer.number = null;
  peer.accounts = [{ ...CONNECTED, connected: false, healthState: "reconnecting" }];
  await until(() => expect(gateway.state.accounts.get("default")?.code).toBe("reconnecting"));
  expect(gateway.state.accounts.get("default")?.number).toBe("+15559990077");
});

it("knows which OpenClaw and which WhatsApp plugin run, also after an update, and does without an answer", async () => {
  const peer = await startPeer();
  peer.versions = { openclaw: "2026.9.6", whatsapp: "2026.9.6" };
  const gateway = open(peer);
  expect(gateway.versions).toEqual({ openclaw: null, whatsapp: null });
  await until(() => expect(gateway.versions).toEqual({ openclaw: "2026.9.6", whatsapp: "2026.9.6" }));
  peer.versions = { openclaw: "2026.9.6", whatsapp: "2026.10.1" };
  peer.tell("plugins.changed");
  await until(() => expect(gateway.versions.whatsapp).toBe("2026.10.1"));
  peer.versions = { openclaw: "2026.10.1", whatsapp: null };
  await peer.restartAs("boot-2");
  await until(() => expect(gateway.versions).toEqual({ openclaw: "2026.10.1", whatsapp: null }));
  await until(() => expect(gateway.canSend("default")).toBe(true));
});

it("sends with the command id as the key", async () => {
  const peer = await startPeer();
  const gateway = open(peer);
  await until(() => expect(gateway.canSend("default")).toBe(true));
  expect(await gateway.send(hello)).toEqual({ kind: "sent", whatsappMessageId: "WA1" });
  const params = { channel: "whatsapp", accountId: "default", to: "+15550001", message: "hello", idempotencyKey: "c1" };
  expect(peer.asked).toContainEqual({ method: "send", params });
});

it("takes an ok for an ok, whatever comes with it", async () => {
  const peer = await startPeer();
  peer.send = () => ({ ok: true, payload: "?" });
  const gateway = open(peer);
  await until(() => expect(gateway.state.link).toBe("up"));
  expect(await gateway.send(hello)).toEqual({ kind: "sent", whatsappMessageId: null });
});

it.each([
  ["a LID", { to: "12345678901234@lid" }],
  ["no command id", { commandId: "" }],
  ["a strange account", { accountId: "../x" }],
])("refuses %s without asking the gateway", async (_what, change) => {
  const peer = await startPeer();
  const gateway = open(peer);
  await until(() => expect(gateway.state.link).toBe("up"));
  expect(await gateway.send({ ...hello, ...change })).toMatchObject({ kind: "failed" });
  expect(peer.asked.map(({ method }) => method)).not.toContain("send");
});

it("is in doubt when the link breaks after the frame was written", async () => {
  const peer = await startPeer();
  peer.send = () => "hang up";
  const gateway = open(peer);
  await until(() => expect(gateway.state.link).toBe("up"));
  expect(await gateway.send(hello)).toMatchObject({ kind: "in_doubt", process: { id: "boot-1" } });
});

it("is in doubt when no answer comes in time, and when the bridge itself stops waiting", async () => {
  const peer = await startPeer();
  peer.send = () => "nothing";
  const late = open(peer, { sendTimeoutMs: 20 });
  await until(() => expect(late.state.link).toBe("up"));
  expect(await late.send(hello)).toMatchObject({ kind: "in_doubt", reason: expect.stringContaining("0.02 s") });
  const closing = open(peer);
  await until(() => expect(closing.state.link).toBe("up"));
  const sending = closing.send(hello);
  await closing.close();
  expect(await sending).toMatchObject({ kind: "in_doubt" });
});

it("knows that nothing was sent when there is no link", async () => {
  const peer = await startPeer();
  await peer.stop();
  const gateway = open(peer);
  await until(() =>
    expect(gateway.state).toMatchObject({ link: "down", reason: expect.stringContaining("openclaw gateway") }),
  );
  expect(await gateway.send(hello)).toMatchObject({ kind: "not_sent" });
  expect(await gateway.history("default", hello.to)).toBeNull();
  expect(await gateway.startChannel("default")).toMatchObject({ started: false });
});

it("asks for the status again after a failed send, and tells when it may send once more", async () => {
  const peer = await startPeer();
  peer.send = () => ({
    ok: false,
    error: { code: "UNAVAILABLE", message: "no listener", details: { code: "OUTBOUND_DELIVERY_QUEUED" } },
  });
  const gateway = open(peer, { pollMs: 600_000 });
  await until(() => expect(gateway.canSend("default")).toBe(true));
  const told: boolean[] = [];
  gateway.onChange(() => told.push(gateway.canSend("default")));
  expect(await gateway.send(hello)).toMatchObject({ kind: "queued_by_gateway" });
  expect(gateway.canSend("default")).toBe(false);
  await until(() => expect(told).toEqual([false, true]));
});

it("believes no status that is old, nor one it cannot read", async () => {
  const peer = await startPeer();
  let uptime = 0;
  const gateway = open(peer, { pollMs: 600_000 }, () => uptime);
  await until(() => expect(gateway.canSend("default")).toBe(true));
  uptime = 15_001;
  expect(gateway.canSend("default")).toBe(false);
  const other = open(peer);
  await until(() => expect(other.canSend("default")).toBe(true));
  peer.accounts = "none of your business";
  await until(() => expect(other.state.accounts.get("default")?.code).toBe("unknown"));
  expect(other.canSend("default")).toBe(false);
});

it("says what is wrong with the token, and connects when it is put right", async () => {
  const peer = await startPeer();
  peer.token = "another";
  const gateway = open(peer);
  await until(() => expect(gateway.state.link).toBe("refused"));
  expect(gateway.state.reason).toContain("gateway.auth.token");
  peer.token = TOKEN;
  await until(() =>
    expect(gateway.state).toMatchObject({ link: "up", process: { id: "boot-1", version: "2026.9.6" } }),
  );
  expect(gateway.state.reason).toBeUndefined();
});

it("comes back by itself, and asks again only the process that was asked", async () => {
  const peer = await startPeer();
  const gateway = open(peer);
  await until(() => expect(gateway.canSend("default")).toBe(true));
  const first = { processId: "boot-1", bootMs: systemClock.bootMs(), sendsSince: 0 };
  await peer.stop();
  await until(() => expect(gateway.state).toMatchObject({ link: "down", process: null }));
  expect(gateway.state.accounts.get("default")?.code).toBe("unknown");
  expect(await gateway.askAgain(hello, first)).toMatchObject({ kind: "in_doubt" });
  await peer.start();
  await until(() => expect(gateway.canSend("default")).toBe(true));
  expect(await gateway.askAgain(hello, first)).toEqual({ kind: "sent", whatsappMessageId: "WA1" });
  peer.send = () => ({ ok: false, error: { code: "INVALID_REQUEST", message: "Unknown account" } });
  expect(await gateway.askAgain(hello, first)).toMatchObject({ kind: "in_doubt" });
  await peer.stop();
  peer.bootId = "boot-2";
  await peer.start();
  await until(() => expect(gateway.process?.id).toBe("boot-2"));
  const sends = peer.asked.filter(({ method }) => method === "send").length;
  expect(await gateway.askAgain(hello, first)).toMatchObject({ kind: "in_doubt" });
  expect(peer.asked.filter(({ method }) => method === "send")).toHaveLength(sends);
});

it("recognises no process where the gateway names none", async () => {
  const peer = await startPeer();
  peer.bootId = undefined;
  const gateway = open(peer);
  await until(() => expect(gateway.canSend("default")).toBe(true));
  expect(gateway.process).toBeNull();
});

it("reports an address that cannot be dialled", async () => {
  const log = pino({ level: "silent" });
  const gateway = openGateway({ url: "ws://gateway.example.com:1", token: TOKEN, log });
  onTestFinished(() => gateway.close());
  await until(() => expect(gateway.state.link).toBe("down"));
});
