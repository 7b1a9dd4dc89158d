import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, BEN, messageOf } from "../../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../../test/simulated-clock.ts";
import { type MessageFilter, openStore, type Store } from "../../index.ts";

let dir: string;
let clock: SimulatedClock;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-operator-"));
  clock = new SimulatedClock();
  store = openStore(dir, clock);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

async function deadLetter(id: string, chat = ANNA): Promise<number> {
  const { seq } = await store.messages.accept(messageOf(id, chat));
  await store.messages.dead(seq, 422, "refused", 10);
  return seq;
}

async function fail(seq: number, times: number) {
  const attempt = { status: 500, nextAttemptAt: 0, waitMs: 1, detach: false };
  for (let n = 1; n <= times; n++)
    await store.messages.failed(seq, { ...attempt, error: `failure ${n}`, durationMs: n });
}

const ledger = async () => {
  const { accepted, delivered, pending, dead, discarded } = await store.counters();
  expect(accepted).toBe(delivered + pending + dead + discarded);
  return { pending, dead, discarded };
};

describe("the attempts of a message", () => {
  it("are kept from its beginning and its end, and all counted", async () => {
    const { seq } = await store.messages.accept(messageOf("A"));
    await fail(seq, 40);
    const life = await store.operator.message(seq);
    const kept = life?.failed_attempts.map(({ attempt, error }) => `${attempt} ${error}`);
    const all = Array.from({ length: 40 }, (_, n) => `${n + 1} failure ${n + 1}`);
    expect(kept).toEqual([...all.slice(0, 5), ...all.slice(-20)]);
    expect(life?.failed_count).toBe(40);
  });

  it("go on being counted when it is sent again, whose budget is a new one", async () => {
    const { seq } = await store.messages.accept(messageOf("A"));
    await fail(seq, 2);
    await store.messages.dead(seq, 500, "refused", 10);
    expect(await store.operator.retry(seq, "anna")).toMatchObject({ done: true });
    expect(await store.messages.headOf(1)).toMatchObject({ seq, attempts: 0, retrying_ms: 0 });
    await fail(seq, 1);
    const life = await store.operator.message(seq);
    expect(life?.failed_attempts.map(({ error }) => error)).toEqual(["failure 1", "failure 2", "refused", "failure 1"]);
  });
});

describe("a dead letter", () => {
  it("that is sent again comes before what came after it in its chat", async () => {
    const seq = await deadLetter("A");
    await store.messages.accept(messageOf("B"));
    expect((await store.messages.headOf(1))?.message_id).toBe("B");
    await store.operator.retry(seq, "anna");
    expect((await store.messages.headOf(1))?.message_id).toBe("A");
    expect(await ledger()).toEqual({ pending: 2, dead: 0, discarded: 0 });
  });

  it("is not sent again where another chat's message has its key", async () => {
    await store.messages.accept(messageOf("A", ANNA));
    const { seq, refusal } = await store.messages.accept(messageOf("A", BEN, { text: "another" }));
    expect(refusal).not.toBeNull();
    const repaired = await store.operator.retry(seq, "anna");
    expect(repaired).toMatchObject({ done: false, reason: expect.stringContaining("by hand") });
    expect(await ledger()).toEqual({ pending: 1, dead: 1, discarded: 0 });
  });

  it("that is discarded keeps its key, and nothing else", async () => {
    const seq = await deadLetter("A");
    expect(await store.operator.discard(seq, "anna")).toMatchObject({ done: true });
    expect(await store.operator.message(seq)).toMatchObject({ state: "discarded", request: null });
    expect(await store.messages.accept(messageOf("A"))).toMatchObject({ duplicate: true });
    for (const again of [store.operator.discard(seq, "anna"), store.operator.retry(seq, "anna")])
      expect(await again).toMatchObject({ done: false, reason: "it was discarded" });
    expect(await ledger()).toEqual({ pending: 0, dead: 0, discarded: 1 });
  });

  it("only is sent again or discarded", async () => {
    const { seq } = await store.messages.accept(messageOf("A"));
    for (const refused of [store.operator.discard(seq, "anna"), store.operator.retry(seq, "anna")])
      expect(await refused).toMatchObject({ done: false, found: true, reason: expect.stringContaining("pending") });
    expect(await store.operator.retry(99, "anna")).toMatchObject({ done: false, found: false });
    expect(await ledger()).toEqual({ pending: 1, dead: 0, discarded: 0 });
  });

  it("leaves a line of each thing that was tried with it", async () => {
    const seq = await deadLetter("A");
    for (const what of ["discard", "retry"] as const) await store.operator[what](seq, "anna");
    const entries = await store.operator.audit(null, 10);
    expect(entries.map(({ who, action, subject, result }) => [who, action, subject, result])).toEqual([
      ["anna", "retry", seq, "it was discarded"],
      ["anna", "discard", seq, "done"],
    ]);
  });
});

it("a list gives each message once, page by page, however few of many are wanted", async () => {
  const ids = Array.from({ length: 5_000 }, (_, n) => `M${n}`);
  const accepted = await Promise.all(
    ids.map((id, n) => store.messages.accept(messageOf(id, n % 1_000 === 7 ? BEN : ANNA))),
  );
  const dead = accepted.filter((_, n) => n % 500 === 0).map(({ seq }) => seq);
  for (const seq of dead) await store.messages.dead(seq, 422, "refused");
  const all = async (filter: MessageFilter, limit: number) => {
    const found: number[] = [];
    let pages = 0;
    for (let before: number | null = null; ; pages += 1) {
      const page = await store.operator.messages(filter, before, limit);
      found.push(...page.rows.map(({ id }) => id));
      before = page.next;
      if (before === null) return { found, pages: pages + 1 };
    }
  };
  const newestFirst = (seqs: number[]) => seqs.toSorted((a, b) => b - a);
  expect((await all({}, 500)).found).toEqual(newestFirst(accepted.map(({ seq }) => seq)));
  expect(await all({ states: ["dead"] }, 500)).toEqual({ found: newestFirst(dead), pages: 1 });
  expect((await all({ states: ["dead"] }, 3)).found).toEqual(newestFirst(dead));
  const ben = accepted.filter((_, n) => n % 1_000 === 7).map(({ seq }) => seq);
  expect(await all({ chatId: BEN }, 500)).toEqual({ found: newestFirst(ben), pages: 1 });
  expect(await all({ chatId: BEN }, 2)).toEqual({ found: newestFirst(ben), pages: 3 });
  expect(await all({ chatId: "+15550009999" }, 2)).toEqual({ found: [], pages: 1 });
  expect((await all({ states: ["pending", "dead"], since: clock.now() + 1 }, 500)).found).toEqual([]);
});

it("a list of one number has its messages with every account, in their order", async () => {
  const accepted = [];
  for (const [n, account] of ["default", "outlet", "default", "outlet", "outlet"].entries()) {
    await store.messages.accept(messageOf(`other-${n}`, BEN));
    accepted.push(await store.messages.accept(messageOf(`M${n}`, ANNA, { account_id: account })));
  }
  const newestFirst = accepted.map(({ seq }) => seq).toReversed();
  const { rows, next } = await store.operator.messages({ chatId: ANNA }, null, 3);
  expect(rows.map(({ id }) => id)).toEqual(newestFirst.slice(0, 3));
  const rest = await store.operator.messages({ chatId: ANNA }, next, 3);
  expect([rest.rows.map(({ id }) => id), rest.next]).toEqual([newestFirst.slice(3), null]);
  const outlet = await store.operator.messages({ chatId: ANNA, accountId: "outlet" }, null, 50);
  expect(outlet.rows.map(({ message_id }) => message_id)).toEqual(["M4", "M3", "M1"]);
});

it("a command is shown with what it says besides its text", async () => {
  const { seq } = await store.messages.accept(messageOf("A"));
  const common = { type: "send_media", payload: "1", refusal: null };
  const file = { commandId: "F", text: "", details: '{"mime_type":"application/pdf"}', file: Buffer.from("prices") };
  const text = { commandId: "T", text: "hello" };
  const recorded = await store.messages.delivered(seq, 200, "{}", [
    { ...common, ...file },
    { ...common, ...text },
  ]);
  const shown = await Promise.all(recorded.map(({ id }) => store.operator.command(id ?? 0)));
  expect(shown).toMatchObject([
    { text: "", details: file.details, file_bytes: 6 },
    { text: "hello", details: null, file_bytes: null },
  ]);
});
