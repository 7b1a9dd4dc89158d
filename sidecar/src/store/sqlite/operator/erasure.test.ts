import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InboundMessage } from "@hotbags/shared";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, BEN, messageOf } from "../../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../../test/simulated-clock.ts";
import { type ErasureRequest, openStore, type Store } from "../../index.ts";

const GROUP = "120363000000000001@g.us";
/** Long enough to need pages of its own. */
const WORDS = `canary ${"words of Anna's ".repeat(1_000)}`;

let dir: string;
let clock: SimulatedClock;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-erasure-"));
  clock = new SimulatedClock();
  store = openStore(dir, clock);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const forget = (changes: Partial<ErasureRequest> = {}) =>
  store.operator.forget({ number: ANNA, after: 0, left: 0, forgotten: 0, includingWaiting: false, ...changes }, "eve");

async function put(text: string) {
  const bytes = Buffer.from(text);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const body = (async function* () {
    yield bytes;
  })();
  await store.files.receive(sha256, { offset: 0, length: bytes.length, body });
  return { type: "image" as const, mime_type: null, file_name: null, size_bytes: bytes.length, sha256 };
}

const accept = (...message: Parameters<typeof messageOf>) => store.messages.accept(messageOf(...message));

/** A message that was answered with one reply, `to-<id>`, which is in this state. */
async function answer(
  id: string,
  chat: string,
  state: "pending" | "sending" | "sent" | "in_doubt",
  more: Partial<InboundMessage> = {},
) {
  const message = messageOf(id, chat, { text: WORDS, ...more });
  const accepted = await store.messages.accept(message);
  const text = message.from === BEN ? "reply to Ben" : `canary reply to ${ANNA}`;
  const besides = message.from === BEN ? {} : { details: `canary of ${ANNA}`, file: Buffer.from("canary") };
  const reply = { commandId: `to-${id}`, type: "send_text", text, payload: text, refusal: null, ...besides };
  await store.messages.delivered(accepted.seq, 200, JSON.stringify({ text }), [reply]);
  const command = await store.commands.nextOf(accepted.chat);
  if (state === "pending" || !command) return accepted;
  await store.commands.sending(command.id, "boot");
  const whatsappMessageId = `WA-${id}`;
  if (state !== "sending") await store.commands.settled(command.id, state, { reason: null, whatsappMessageId });
  return accepted;
}

/** Which of these is in any file of the store. */
function found(...words: string[]): string[] {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const bytes = files.map((file) => readFileSync(join(file.parentPath, file.name)));
  return words.filter((word) => bytes.some((content) => content.includes(word)));
}

const ledger = async () => {
  const counts = await store.counters();
  expect(counts.accepted).toBe(counts.delivered + counts.pending + counts.dead + counts.discarded);
  return counts;
};

it("leaves nothing of a customer in any file: no text, number, file, id or reply, the log included", async () => {
  await answer("ANNAS-ID", ANNA, "sent", { media: [await put("canary of a file")], raw: { From: ANNA } });
  const failing = await accept("ANNAS-OTHER", ANNA, { text: WORDS });
  const attempt = { status: 500, nextAttemptAt: 0, waitMs: 1, detach: false };
  await store.messages.failed(failing.seq, { ...attempt, error: "canary of an error" });
  await store.messages.dead(failing.seq, 500, "refused");
  await answer("BENS-ID", BEN, "sent", { text: "words of Ben's" });
  expect(found("canary", ANNA.slice(1), "ANNAS-ID", "ANNAS-OTHER", "to-ANNAS-ID", "WA-ANNAS-ID")).toHaveLength(6);
  expect(await forget()).toMatchObject({ forgotten: 2, left: 0, next: null, isNumberGone: true, isLogCleared: true });
  expect(found("canary", ANNA.slice(1), "ANNAS-ID", "ANNAS-OTHER", "to-ANNAS-ID", "WA-ANNAS-ID")).toEqual([]);
  expect(found("words of Ben's", BEN, "BENS-ID", "to-BENS-ID")).toHaveLength(4);
  expect(readdirSync(join(dir, "media"))).toEqual([]);
  expect(await ledger()).toMatchObject({ accepted: 3, delivered: 2, dead: 0, discarded: 1 });
});

it("leaves nothing of what others said of a customer when something failed", async () => {
  const dead = await accept("M1", ANNA);
  await store.messages.dead(dead.seq, 422, "canary of Hot Bags");
  await answer("M2", ANNA, "sending");
  const [command] = (await store.operator.message(2))?.commands ?? [];
  const told = { reason: "canary of ours", said: "canary of OpenClaw" };
  await store.commands.settled(command?.id ?? 0, "failed", { ...told, whatsappMessageId: null });
  const canaries = ["canary of Hot Bags", "canary of ours", "canary of OpenClaw"];
  expect(found(...canaries)).toEqual(canaries);
  await forget();
  expect(found(...canaries)).toEqual([]);
  expect((await store.failures()).dead).toMatchObject({ reason: "forgotten with its customer" });
});

it("leaves nothing of what retention has deleted before", async () => {
  await answer("A", ANNA, "sent");
  clock.advance(20 * 24 * 3_600_000);
  await store.retention.sweep({ textsDays: 14, keysDays: 90, deadLettersDays: 90 });
  await forget();
  expect(found("canary", ANNA.slice(1))).toEqual([]);
});

it("still knows what comes again, also over a restart, and does not bring the number back", async () => {
  await answer("A", ANNA, "sent");
  await answer("G", GROUP, "sent", { from: ANNA });
  await forget();
  store.close();
  store = openStore(dir, clock);
  expect(await accept("A", ANNA)).toMatchObject({ duplicate: true, refusal: null });
  expect(await accept("G", GROUP, { from: ANNA })).toMatchObject({ duplicate: true, refusal: null });
  expect(found(ANNA.slice(1))).toEqual([]);
  // A command id that comes again sends nothing.
  const { seq } = await accept("B", BEN);
  const again = { commandId: "to-A", type: "send_text", text: "x", payload: "x", refusal: null };
  const [recorded] = await store.messages.delivered(seq, 200, "{}", [again]);
  expect(recorded).toMatchObject({ outcome: "failed", reason: expect.stringMatching(/already used/) });
});

it("takes the same customer in again as a new one, and can forget them again", async () => {
  await answer("A", ANNA, "sent");
  await forget();
  expect(await accept("B", ANNA)).toMatchObject({ duplicate: false, refusal: null });
  const { seq } = await store.messages.accept(messageOf("C", ANNA));
  expect(await store.messages.headOf(2)).toMatchObject({ message_id: "B", chat_id: ANNA });
  expect(seq).toBe(3);
  expect(await forget({ includingWaiting: true })).toMatchObject({ forgotten: 2, isNumberGone: true });
  for (const id of ["A", "B", "C"]) expect(await accept(id, ANNA)).toMatchObject({ duplicate: true });
  expect(await store.operator.audit(null, 4)).toMatchObject([
    ...[{ result: "done: 2 messages forgotten" }, { result: "begun" }],
    ...[{ result: "done: 1 message forgotten" }, { result: "begun" }],
  ]);
  expect(await ledger()).toMatchObject({ accepted: 3, delivered: 1, discarded: 2, pending: 0 });
});

describe("what waits", () => {
  it("stays, and so does the number, until it is settled", async () => {
    await answer("done", ANNA, "sent");
    const { seq } = await accept("waits", ANNA);
    await answer("doubt", ANNA, "in_doubt");
    await answer("reply waits", ANNA, "pending");
    expect(await forget()).toMatchObject({ forgotten: 1, left: 3, isNumberGone: false });
    expect(await store.messages.headOf(1)).toMatchObject({ message_id: "waits", chat_id: ANNA });
    expect(await store.operator.audit(null, 1)).toMatchObject([
      {
        action: "forget +1555…01",
        result: "1 message forgotten, 3 messages left: they wait, or their replies do",
        who: "eve",
      },
    ]);
    await store.messages.delivered(seq, 200, "{}", []);
    expect(await forget()).toMatchObject({ forgotten: 1, left: 2, isNumberGone: false });
  });

  it("becomes a dead letter, and fails, where it is to be forgotten too", async () => {
    const { seq } = await accept("waits", ANNA);
    await answer("doubt", ANNA, "in_doubt");
    await answer("reply waits", ANNA, "pending");
    const { seq: detached } = await accept("detached", ANNA);
    const attempt = { status: 500, nextAttemptAt: 0, waitMs: 1, detach: true, error: "no" };
    await store.messages.failed(detached, attempt);
    expect(await forget({ includingWaiting: true })).toMatchObject({ forgotten: 4, left: 0, isNumberGone: true });
    expect(await store.messages.headOf(1)).toBeUndefined();
    expect(await store.commands.nextOf(1)).toBeUndefined();
    expect(await ledger()).toMatchObject({
      ...{ pending: 0, detached: 0, dead: 0, discarded: 2, delivered: 2 },
      ...{ commands_pending: 0, commands_in_doubt: 0, commands_failed: 2 },
    });
    // An answer that was on its way changes nothing.
    expect(await store.messages.delivered(seq, 200, "{}", [])).toEqual([]);
    expect(await ledger()).toMatchObject({ delivered: 2, discarded: 2 });
  });

  it("stays in any case while it is with the gateway", async () => {
    await answer("A", ANNA, "sending");
    expect(await forget({ includingWaiting: true })).toMatchObject({
      ...{ forgotten: 0, left: 1, isNumberGone: false, found: { replies_being_sent: 1 } },
    });
    expect(await store.commands.interrupted()).toEqual([1]);
  });
});

it("finds a customer in groups, and leaves what others wrote there", async () => {
  await answer("of Anna", GROUP, "sent", { from: ANNA });
  await answer("of Ben", GROUP, "sent", { from: BEN, text: "words of Ben's" });
  expect(await forget()).toMatchObject({ found: { messages: 1 }, forgotten: 1, isNumberGone: true });
  expect(found("of Anna", ANNA.slice(1))).toEqual([]);
  expect(found("of Ben", "words of Ben's", GROUP)).toHaveLength(3);
});

it("counts first, and changes nothing by that", async () => {
  await answer("A", ANNA, "sent", { media: [await put("one")] });
  await accept("B", ANNA);
  const { seq } = await accept("C", ANNA);
  await store.messages.dead(seq, 400, "refused");
  expect(await store.operator.find(ANNA, 0)).toMatchObject({
    found: { messages: 3, waiting: 1, dead: 1, files: 1, replies_waiting: 0 },
    next: null,
  });
  expect(found("canary", ANNA)).toHaveLength(2);
  expect(await store.operator.audit(null, 10)).toEqual([]);
});

it("keeps a file that another customer sent too", async () => {
  const media = [await put("shared")];
  await answer("A", ANNA, "sent", { media });
  await answer("B", BEN, "sent", { media });
  await forget();
  expect(readdirSync(join(dir, "media"))).toHaveLength(1);
});

it("is nothing where nobody is known by that number", async () => {
  await answer("B", BEN, "sent");
  expect(await forget()).toMatchObject({ found: { messages: 0 }, forgotten: 0, isNumberGone: true });
  expect(found(BEN)).toEqual([BEN]);
});

it("lets others in between its chunks, and goes through thousands", async () => {
  const all = Array.from({ length: 1_200 }, (_, n) => accept(`M${n}`, n % 2 === 0 ? ANNA : BEN));
  const accepted = await Promise.all(all);
  await Promise.all(accepted.map(({ seq }) => store.messages.delivered(seq, 200, "{}", [])));
  const forgetting = forget();
  expect(await accept("meanwhile", BEN)).toMatchObject({ duplicate: false });
  let step = await forgetting;
  let { forgotten } = step;
  while (step.next !== null) {
    step = await forget({ after: step.next });
    forgotten += step.forgotten;
  }
  expect([forgotten, step.isNumberGone, step.progress]).toEqual([600, true, 1]);
  expect(found(ANNA.slice(1))).toEqual([]);
});
