import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { isOnPostgres } from "../shop/store-of-tests.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { type RealRelay, type RealRelayOptions, startRelay } from "./real-relay.ts";

const CARA = "+15550001003";

let dir: string;
let hotbags: HotBags;
let running: RealRelay;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-relay-"));
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  running = await startRelay({ dir, url: hotbags.url });
});
afterEach(async () => {
  await running.stop();
  await hotbags.close();
  rmSync(dir, { recursive: true });
});

async function restart(how: Omit<RealRelayOptions, "dir" | "url"> = {}) {
  await running.stop();
  running = await startRelay({ dir, url: hotbags.url, ...how });
}

const takeIn: RealRelay["takeIn"] = (...args) => running.takeIn(...args);
const counts = async () => await running.store.counters();
const settled = (delivered: number, dead = 0) =>
  until(
    `${delivered} delivered, ${dead} dead`,
    async () => (await counts()).delivered === delivered && (await counts()).dead === dead,
  );
const attempts = () => hotbags.requests.length;
const attemptsFor = (id: string) => hotbags.requests.filter(({ key }) => key === id);

describe("delivery", () => {
  it("takes a message to Hot Bags and its commands back", async () => {
    hotbags.answers(({ text }) => [{ command_id: `c-${text}`, type: "send_text", text: "welcome" }]);
    const { chat } = await takeIn("A");
    await settled(1);
    expect(running.commandChats).toEqual([chat]);
    expect(await running.store.commands.nextOf(chat)).toMatchObject({ command_id: "c-A", text: "welcome" });
    expect(hotbags.violations).toEqual([]);
  });

  // On PostgreSQL each message is read: another process may have had its account in between.
  it.skipIf(isOnPostgres)("reads no message again that is the first of its chat when it is accepted", async () => {
    const { messages } = running.store;
    const headOf = messages.headOf.bind(messages);
    const read: string[] = [];
    messages.headOf = async (chat) => {
      const head = await headOf(chat);
      if (head) read.push(head.message_id);
      return head;
    };
    await Promise.all([takeIn("a1"), takeIn("b1", BEN), takeIn("a2")]);
    await settled(3);
    expect(read).toEqual(["a2"]);
    expect(hotbags.violations).toEqual([]);
  });

  it("is of the dead letters first that the operator is just sending again", async () => {
    const { messages, operator } = running.store;
    const { seq } = await messages.accept(messageOf("a1", ANNA));
    await messages.dead(seq, 400, "refused");
    await operator.retry(seq, "the operator");
    await takeIn("a2");
    await settled(2);
    expect(hotbags.requests.map(({ key }) => key)).toEqual(["a1", "a2"]);
  });

  it("keeps the order of a chat, while another chat overtakes it", async () => {
    hotbags.faultFor(({ text }) => text === "a1", { status: 503 }, 3);
    await Promise.all([takeIn("a1"), takeIn("a2"), takeIn("a3"), takeIn("b1", BEN)]);
    await settled(4);
    expect(hotbags.accepted.map(({ text }) => text).filter((text) => text.startsWith("a"))).toEqual(["a1", "a2", "a3"]);
    expect(attemptsFor("b1")).toHaveLength(1);
  });

  it.each(["drop", "truncate", "drop-after-processing", "hang", "slow-body", "endless-body"] as const)(
    "survives %s, with the same key and the same bytes, and takes each command once",
    async (fault) => {
      hotbags.answers(({ text }) => [{ command_id: `c-${text}`, type: "send_text", text: "welcome" }]);
      hotbags.next(fault);
      // Short until the fault has struck: the attempt after it must not be given up, however slow this machine is.
      const { http } = running;
      const patience = http.timeoutMs;
      http.timeoutMs = 100;
      hotbags.onEvent(({ type }) => {
        if (type === "attempt") http.timeoutMs = patience;
      });
      await takeIn("A");
      await settled(1);
      expect(attemptsFor("A")).toHaveLength(2);
      expect(attemptsFor("A")[0]?.rawBody.equals(attemptsFor("A")[1]?.rawBody ?? Buffer.alloc(0))).toBe(true);
      expect((await counts()).commands_pending).toBe(1);
      expect(hotbags.violations).toEqual([]);
    },
  );

  it("sends the same bytes after a restart", async () => {
    hotbags.next({ status: 500 });
    await restart({ options: { backoff: { baseMs: 2_000, maxMs: 2_000 } } });
    await takeIn("A");
    await until("a failed attempt is on record", async () => (await running.store.messages.headOf(1))?.next_attempt_at);
    await restart();
    await settled(1);
    const [first, second] = attemptsFor("A");
    expect(first?.rawBody.equals(second?.rawBody ?? Buffer.alloc(0))).toBe(true);
    expect(hotbags.violations).toEqual([]);
  });
});

/** Messages of another chat, which pass one after the other. */
async function othersPass(enough: () => Promise<boolean>) {
  for (let n = 0; !(await enough()); n++) {
    if (n > 2_000) throw new Error("it was not enough");
    const before = (await counts()).delivered;
    await takeIn(`other-${n}`, BEN);
    await until("it is delivered", async () => (await counts()).delivered > before);
  }
}

describe("a message at fault", () => {
  const ALWAYS = Number.POSITIVE_INFINITY;
  const bad = { alarm: true, message_id: "bad" };
  /** To bring another message through takes longer there than the two attempts that a 422 gets. */
  const LATE = /while others pass|No other message was sent meanwhile/;

  it.each([
    ["422", 2],
    ["404", 3],
    ["403", 3],
    ["500", 4],
    ["409", 10],
  ] as const)(
    "which gets %s while others pass steps aside, with one alarm, and its chat goes on",
    async (status, times) => {
      hotbags.faultFor(({ text }) => text === "bad", { status: Number(status) }, ALWAYS);
      await takeIn("bad");
      await takeIn("good");
      await othersPass(async () => (await counts()).detached === 1);
      await until("its chat goes on", () => attemptsFor("good").length === 1);
      const lines = running.lines.filter(({ message_id }) => message_id === "bad");
      // Not sooner; later where it was tried twice before another one passed.
      expect(lines.findIndex(({ detached }) => detached === true)).toBeGreaterThanOrEqual(times - 1);
      expect(running.lines.filter(({ alarm }) => alarm === true)).toEqual([
        expect.objectContaining({ ...bad, msg: expect.stringMatching(isOnPostgres ? LATE : /while others pass/) }),
      ]);
      expect(running.relay.status).toMatchObject({ breakerOpen: false, problem: null });
    },
  );

  it.each([422, 500])(
    "which gets %i steps aside when the one behind it passes, where there is no other",
    async (status) => {
      const lift = hotbags.faultFor(({ text }) => text === "bad", { status }, ALWAYS);
      await takeIn("bad");
      await takeIn("good");
      await settled(1);
      expect(hotbags.accepted.map(({ text }) => text)).toEqual(["good"]);
      await until("it has stepped aside", async () => (await counts()).detached === 1);
      expect(running.lines).toContainEqual(expect.objectContaining(bad));
      lift();
      await settled(2);
    },
  );

  it("which is all there is says that it may be this one alone, once, and asks the next that comes at once", async () => {
    const HOUR_MS = 3_600_000;
    hotbags.faultFor(({ text }) => text === "bad", { status: 422 }, ALWAYS);
    await restart({ options: { backoff: { baseMs: 4, maxMs: HOUR_MS } } });
    await takeIn("bad");
    await until("an alarm", () => running.lines.find(({ alarm }) => alarm === true));
    expect(running.relay.status.problem).toContain("it may be this one alone");
    await until("it waits for long", () => attemptsFor("bad").length === 8);
    expect(running.lines.filter(({ alarm }) => alarm === true)).toHaveLength(1);
    await takeIn("good");
    await settled(1);
    await until("it has stepped aside", async () => (await counts()).detached === 1);
    expect(running.relay.status.problem).toBeNull();
    // Once more, after the one behind it had passed.
    expect(attemptsFor("bad")).toHaveLength(9);
  });

  it("is a dead letter after its time, with its last error, and is asked for no more", async () => {
    hotbags.faultFor(({ text }) => text === "bad", { status: 422 }, ALWAYS);
    await restart({ options: { maxRetryingMs: 40 } });
    await takeIn("bad");
    await takeIn("good");
    await settled(1, 1);
    const attempts = attemptsFor("bad").length;
    expect(running.lines).toContainEqual(expect.objectContaining({ ...bad, attempts }));
    await takeIn("another");
    await settled(2, 1);
    expect(attemptsFor("bad")).toHaveLength(attempts);
  });

  it("is one whose answer breaks the contract: nothing of it is executed", async () => {
    hotbags.next({ status: 200, body: '{"commands":{"command_id":"x","type":"send_text","text":"no"}}' });
    await takeIn("A");
    await settled(1);
    expect(attemptsFor("A")).toHaveLength(2);
    expect((await counts()).commands_pending).toBe(0);
  });
});

describe("a backend that is down", () => {
  it("is probed, costs no message its attempts, and gets everything in order when it is back", async () => {
    await hotbags.stop();
    await restart({ options: { maxRetryingMs: 8 } });
    const chats = Array.from({ length: 20 }, (_, n) => `+1555000200${String(n).padStart(2, "0")}`);
    for (const n of [1, 2, 3]) await Promise.all(chats.map((chat) => takeIn(`${chat}-${n}`, chat)));
    await until("the breaker is open", () => running.relay.status.breakerOpen);
    const before = running.posts.length;
    await until("more probes than any message has time for", () => running.posts.length - before > 20);
    expect(await counts()).toMatchObject({ pending: 60, dead: 0 });
    await hotbags.start();
    await settled(60);
    for (const chat of chats) {
      expect(hotbags.accepted.filter(({ chat_id }) => chat_id === chat).map(({ text }) => text)).toEqual(
        [1, 2, 3].map((n) => `${chat}-${n}`),
      );
    }
    expect(running.relay.status.breakerOpen).toBe(false);
  });

  it("is no message's fault: nobody behind the one whose connection it cut is asked, and could overtake it", async () => {
    hotbags.faultFor(() => true, "hang", Number.POSITIVE_INFINITY);
    await takeIn("A");
    await until("it is asked", () => attempts() === 1);
    await takeIn("B");
    await hotbags.stop();
    await until("it was asked for in vain for a while", () => running.posts.length > 10);
    expect(new Set(running.posts)).toEqual(new Set(["A"]));
  });

  it("has everything wait for as long as it asks for with Retry-After, once five messages have heard so", async () => {
    const chats = Array.from({ length: 5 }, (_, n) => `+1555000200${n}`);
    hotbags.next(...chats.map(() => ({ status: 429, retryAfter: 1 })));
    for (const chat of chats) await takeIn(chat, chat);
    await until("all were refused", () => hotbags.requests.every(({ endedAt }) => endedAt) && attempts() === 5);
    await takeIn("C", CARA);
    await settled(6);
    // The second one's answer began the hold.
    const [second, sixth] = [hotbags.requests[1], hotbags.requests[5]];
    expect((sixth?.at ?? 0) - (second?.at ?? 0)).toBeGreaterThanOrEqual(999);
  });

  it("is not taken for down because it is too busy for two customers: others are heard at once", async () => {
    hotbags.faultFor(({ chat_id }) => chat_id !== CARA, { status: 429, retryAfter: 60 }, Number.POSITIVE_INFINITY);
    await takeIn("A");
    await takeIn("B", BEN);
    await until("both were refused", () => attempts() === 2);
    await takeIn("C", CARA);
    await settled(1);
    expect(attemptsFor("C")).toHaveLength(1);
    expect((await counts()).detached).toBe(0);
  });

  it("raises one alarm when the credentials are refused, and takes no time of any message", async () => {
    await restart({ bearerToken: "another-token", options: { maxRetryingMs: 40 } });
    for (const n of [1, 2, 3]) {
      await takeIn(`A${n}`);
      await takeIn(`B${n}`, BEN);
    }
    await until("it was probed for long", () => hotbags.requests.length > 20);
    expect(await counts()).toMatchObject({ pending: 6, dead: 0, detached: 0 });
    expect(running.lines.filter(({ alarm }) => alarm === true)).toEqual([
      expect.objectContaining({ fault: "credentials", msg: expect.stringContaining("HOTBAGS_BEARER_TOKEN") }),
    ]);
    expect(running.relay.status).toMatchObject({ reachable: false, lastSuccessAt: null });
    await restart();
    await settled(6);
    for (const chat of ["A", "B"])
      expect(hotbags.accepted.map(({ text }) => text).filter((text) => text.startsWith(chat))).toEqual(
        [1, 2, 3].map((n) => `${chat}${n}`),
      );
    hotbags.violations.length = 0;
  });

  it("never gets its token taken elsewhere by a redirect", async () => {
    const visits: string[] = [];
    const elsewhere = createServer((request, response) => {
      visits.push(String(request.headers.authorization));
      response.end("{}");
    });
    elsewhere.listen(0, "127.0.0.1");
    await once(elsewhere, "listening");
    onTestFinished(() => new Promise<void>((closed) => void elsewhere.close(() => closed())));
    hotbags.next({ redirect: `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/` });
    await takeIn("A");
    await settled(1);
    expect(visits).toEqual([]);
  });
});

it("writes no text, token or whole number into its log", async () => {
  hotbags.answers(() => [{ command_id: "c", type: "send_text", text: "a secret reply" }]);
  hotbags.next({ status: 500, body: "a secret error" }, { status: 422, body: "a secret error" });
  await takeIn("A");
  await settled(1);
  const written = JSON.stringify(running.lines);
  expect(running.lines.length).toBeGreaterThan(2);
  for (const secret of ["secret", BEARER_TOKEN, ANNA, "welcome"]) expect(written).not.toContain(secret);
});
