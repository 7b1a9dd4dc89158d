import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ANNA, BEN, messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { type ChatOrder, openStore, type Store } from "../index.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

let dir: string;
let clock: SimulatedClock;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-pauses-"));
  clock = new SimulatedClock();
  store = openStore(dir, clock);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const pauseFor = (forMs: number, replies: "hold" | "skip" = "hold"): ChatOrder => ({ kind: "pause", forMs, replies });

const addressOf = (chatId: string) => ({ accountId: "default", chatId });

let ids = 0;

/** Hot Bags answers a message of the chat with these, texts or orders. Resolves with the chat and what became of each. */
async function answered(chatId: string, ...commands: (string | ChatOrder)[]) {
  const id = `m${++ids}`;
  const { seq, chat } = await store.messages.accept(messageOf(id, chatId));
  const recorded = await store.messages.delivered(
    seq,
    200,
    "{}",
    commands.map((command, n) => {
      const common = { commandId: `${id}-${n}`, payload: JSON.stringify(command), refusal: null };
      if (typeof command === "string") return { ...common, type: "send_text", text: command };
      return { ...common, type: `${command.kind}_chat`, text: null, order: command };
    }),
  );
  return { chat, outcomes: recorded.map(({ outcome }) => outcome) };
}

/** For how long the chat's next reply is held, ms. */
const heldMs = async (chat: number) => (await store.commands.nextOf(chat))?.pausedMs;

it("holds what is given after it, and not what stood before it in the same answer", async () => {
  const { chat, outcomes } = await answered(ANNA, "a colleague will answer you", pauseFor(HOUR_MS), "held");
  expect(outcomes).toEqual(["pending", "done", "pending"]);
  const first = await store.commands.nextOf(chat);
  expect(first?.text).toBe("a colleague will answer you");
  expect(await heldMs(chat)).toBe(0);
  await store.commands.sending(first?.id ?? 0, null);
  await store.commands.settled(first?.id ?? 0, "sent", { reason: null, whatsappMessageId: "WA1" });
  expect((await store.commands.nextOf(chat))?.text).toBe("held");
  expect(await heldMs(chat)).toBe(HOUR_MS);
  clock.advance(HOUR_MS);
  expect(await heldMs(chat)).toBe(0);
  expect(await store.counters()).toMatchObject({ commands_done: 1, commands_pending: 1, commands_sent: 1 });
});

it("lasts for as long as was said over a restart, and over a clock that jumps", async () => {
  const { chat } = await answered(ANNA, pauseFor(2 * HOUR_MS), "held");
  clock.advance(HOUR_MS);
  clock.jump(DAY_MS);
  expect(await heldMs(chat)).toBe(HOUR_MS);
  store.close();
  clock.jump(-3 * DAY_MS);
  store = openStore(dir, clock);
  expect(await heldMs(chat)).toBe(HOUR_MS);
  clock.advance(HOUR_MS);
  expect(await heldMs(chat)).toBe(0);
});

it("skips what is given meanwhile, if it is told to, and nothing that is given afterwards", async () => {
  const { chat, outcomes } = await answered(ANNA, "before", pauseFor(HOUR_MS, "skip"), "after");
  expect(outcomes).toEqual(["pending", "done", "skipped"]);
  expect((await answered(ANNA, "meanwhile")).outcomes).toEqual(["skipped"]);
  expect((await store.commands.nextOf(chat))?.text).toBe("before");
  expect(await heldMs(chat)).toBe(0);
  clock.advance(HOUR_MS);
  expect((await answered(ANNA, "again")).outcomes).toEqual(["pending"]);
  expect(await store.counters()).toMatchObject({ commands_skipped: 2, commands_pending: 2, commands_done: 1 });
});

it("is made longer or shorter by another one, which lets nothing out, and decides on what is held", async () => {
  const { chat } = await answered(ANNA, pauseFor(HOUR_MS), "held");
  await answered(ANNA, "held, too", pauseFor(3 * HOUR_MS));
  expect([(await store.commands.nextOf(chat))?.text, await heldMs(chat)]).toEqual(["held", 3 * HOUR_MS]);
  await answered(ANNA, pauseFor(MINUTE_MS));
  expect(await heldMs(chat)).toBe(MINUTE_MS);
  await answered(ANNA, pauseFor(HOUR_MS, "skip"));
  expect(await store.counters()).toMatchObject({ commands_pending: 0, commands_skipped: 2 });
  clock.advance(HOUR_MS);
  // One that is over holds nothing: the next one begins anew.
  await answered(ANNA, "goes out", pauseFor(HOUR_MS));
  expect([(await store.commands.nextOf(chat))?.text, await heldMs(chat)]).toEqual(["goes out", 0]);
});

it("of the operator holds or skips all that waits, and Hot Bags does not end it", async () => {
  const { chat } = await answered(ANNA, "waits");
  await store.pauses.pause(addressOf(ANNA), { forMs: HOUR_MS, replies: "hold" });
  expect(await heldMs(chat)).toBe(HOUR_MS);
  await answered(ANNA, { kind: "resume" }, pauseFor(MINUTE_MS));
  expect(await heldMs(chat)).toBe(HOUR_MS);
  await store.pauses.pause(addressOf(ANNA), { forMs: HOUR_MS, replies: "skip" });
  expect(await store.commands.nextOf(chat)).toBeUndefined();
  expect(await store.counters()).toMatchObject({ commands_skipped: 1, commands_pending: 0 });
});

it("that skips leaves alone what is being sent, and skips it when it turns out not to be", async () => {
  const { chat } = await answered(ANNA, "is being sent", "waits");
  const id = (await store.commands.nextOf(chat))?.id ?? 0;
  await store.commands.sending(id, null);
  await store.pauses.pause(addressOf(ANNA), { forMs: HOUR_MS, replies: "skip" });
  expect(await store.counters()).toMatchObject({ commands_sending: 1, commands_skipped: 1 });
  await store.commands.notSent(id, { reason: "busy" });
  expect(await store.counters()).toMatchObject({
    commands_sending: 0,
    commands_skipped: 2,
    commands_pending: 0,
  });
});

it("that holds comes before a send that was about to begin, but not before one of which it stands behind", async () => {
  const { chat } = await answered(ANNA, "is about to be sent");
  const id = (await store.commands.nextOf(chat))?.id ?? 0;
  const held = store.pauses.pause(addressOf(ANNA), { forMs: HOUR_MS, replies: "hold" });
  expect(await store.commands.sending(id, null)).toBeNull();
  await held;
  expect([(await store.commands.nextOf(chat))?.id, await heldMs(chat)]).toEqual([id, HOUR_MS]);
  await store.pauses.resume(addressOf(ANNA));
  await answered(ANNA, pauseFor(HOUR_MS), "held");
  expect(await store.commands.sending(id, null)).not.toBeNull();
});

it("that skips comes before a send that was about to begin", async () => {
  const { chat } = await answered(ANNA, "is about to be sent");
  const id = (await store.commands.nextOf(chat))?.id ?? 0;
  const skipped = store.pauses.pause(addressOf(ANNA), { forMs: HOUR_MS, replies: "skip" });
  expect(await store.commands.sending(id, null)).toBeNull();
  await skipped;
  expect(await store.counters()).toMatchObject({
    commands_sending: 0,
    commands_skipped: 1,
    commands_pending: 0,
  });
});

it("can be of a chat in which nobody has written yet", async () => {
  await store.pauses.pause(addressOf(ANNA), { forMs: HOUR_MS, replies: "hold" });
  const { chat } = await answered(ANNA, "held");
  expect(await heldMs(chat)).toBe(HOUR_MS);
  expect(await store.pauses.resume(addressOf(BEN))).toBeNull();
});

it("is ended by the operator whoever began it, by Hot Bags if it did, and tells whether there was one", async () => {
  const { chat } = await answered(ANNA, pauseFor(HOUR_MS), "held");
  await answered(ANNA, { kind: "resume" });
  expect(await heldMs(chat)).toBe(0);
  await answered(ANNA, pauseFor(HOUR_MS));
  expect(await heldMs(chat)).toBe(0);
  await answered(BEN, pauseFor(HOUR_MS), "held");
  expect(await store.pauses.resume(addressOf(ANNA))).toBe(chat);
  expect(await store.pauses.resume(addressOf(ANNA))).toBeNull();
  expect(await store.pauses.list()).toMatchObject([{ chat_id: BEN }]);
});

it("is in a list with its chat, by whom, until when and what waits", async () => {
  const anna = await answered(ANNA, pauseFor(2 * HOUR_MS), "held", "held, too");
  const ben = await answered(BEN, "waits");
  await store.pauses.pause(addressOf(BEN), { forMs: HOUR_MS, replies: "hold" });
  await store.pauses.pause(addressOf(ANNA), { forMs: 3 * HOUR_MS, replies: "hold" });
  const account_id = "default";
  expect(await store.pauses.list()).toEqual(
    [
      { ...ben, account_id, chat_id: BEN, by: "operator", replies: "hold", leftMs: HOUR_MS, waiting: 1 },
      { ...anna, account_id, chat_id: ANNA, by: "hotbags", replies: "hold", leftMs: 2 * HOUR_MS, waiting: 2 },
      { ...anna, account_id, chat_id: ANNA, by: "operator", replies: "hold", leftMs: 3 * HOUR_MS, waiting: 2 },
    ].map(({ outcomes: _, ...pause }) => pause),
  );
  expect((await store.look()).pausedChats).toBe(2);
  clock.advance(2 * HOUR_MS);
  expect((await store.look()).pausedChats).toBe(1);
});

it("makes nobody wait: what it holds is counted from its end on", async () => {
  await answered(ANNA, pauseFor(HOUR_MS), "held");
  clock.advance(59 * MINUTE_MS);
  expect((await store.look()).longestWaitMs.replies).toBe(0);
  await answered(BEN, "waits");
  clock.advance(3 * MINUTE_MS);
  expect((await store.look()).longestWaitMs.replies).toBe(3 * MINUTE_MS);
  await store.pauses.resume(addressOf(ANNA));
  clock.advance(10 * DAY_MS);
  expect((await store.look()).longestWaitMs.replies).toBe(10 * DAY_MS + 3 * MINUTE_MS);
});

it("and its order are done once, however often Hot Bags gives them", async () => {
  await answered(ANNA, "hello");
  const order = { ...{ commandId: "p", type: "pause_chat", text: null, payload: "p" }, refusal: null };
  const answer = async (id: string) => {
    const { seq } = await store.messages.accept(messageOf(id));
    return store.messages.delivered(seq, 200, "{}", [{ ...order, order: pauseFor(HOUR_MS) }]);
  };
  expect(await answer("first")).toMatchObject([{ outcome: "done", reason: expect.stringContaining("3600 s") }]);
  await store.pauses.resume(addressOf(ANNA));
  expect(await answer("second")).toMatchObject([{ outcome: "repeated" }]);
  expect(await store.pauses.list()).toEqual([]);
});
