// One store with so many messages waiting, by itself. `fill` writes them, to chats as they are to be shared out; `measure` opens the store
// and works on it, in a process of its own: on all chats alike, on the list of chats, or on one chat alone.
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";
import { messageOf } from "./flow.ts";
import type { ListScale, OneChatScale, Scale } from "./scale.ts";

const [folder = "", task = "", sharing = "", count = "0"] = process.argv.slice(2);
const BATCH = 32;
const MEASURED = 3_200;
/** Chats on a page of the list. */
const LISTED = 50;
/** How often each page is asked for. */
const TURNS = 50;
/** Messages that one chat has written since the others. */
const BEHIND_ONE = 5_000;
const COMMAND = {
  commandId: "",
  type: "send_text",
  text: "Yes, in red too.",
  payload: "Yes, in red too.",
  refusal: null,
};

/** Of which chat a message is. */
const CHAT_OF: Record<string, (at: number) => number> = {
  // Nine of each chat, and one chat with a tenth of all.
  alike: (at) => (at % 10 === 0 ? 0 : Math.floor(at / 10)),
  list: (at) => at,
  one: () => 0,
};

async function fill(store: Store, waiting: number): Promise<void> {
  const chatOf = CHAT_OF[sharing] ?? CHAT_OF["alike"];
  for (let n = 0; n < waiting; n += 5_000) {
    const batch = Array.from({ length: Math.min(5_000, waiting - n) }, (_, i) => n + i);
    await Promise.all(batch.map((at) => store.messages.accept(messageOf(chatOf?.(at) ?? 0, String(at)))));
  }
}

/** CPU time of one kind of work, over all its turns. */
class Cost {
  #us = 0;
  #messages = 0;

  async of(messages: number, work: () => Promise<unknown> | unknown): Promise<void> {
    const begun = process.cpuUsage();
    await work();
    const { user, system } = process.cpuUsage(begun);
    this.#us += user + system;
    this.#messages += messages;
  }

  get each(): number {
    return this.#us / this.#messages;
  }
}

/** What is done with one message. */
function worker(store: Store) {
  return {
    answer: (seq: number) => store.messages.delivered(seq, 200, "{}", [{ ...COMMAND, commandId: `re:${seq}` }], 1),
    async send(chat: number) {
      const { id } = (await store.commands.nextOf(chat)) ?? { id: 0 };
      await store.commands.sending(id, "boot");
      await store.commands.settled(id, "sent", { reason: null, whatsappMessageId: `WA${id}` });
    },
  };
}

async function measure(): Promise<Scale> {
  const begun = performance.now();
  const rss = process.memoryUsage.rss();
  const store = openStore(folder, systemClock);
  const heads = await store.messages.laneHeads();
  const startMs = performance.now() - begun;
  const memoryMb = (process.memoryUsage.rss() - rss) / 1e6;
  const [head, accept, deliver, reply, forget] = [new Cost(), new Cost(), new Cost(), new Cost(), new Cost()];
  const { answer, send } = worker(store);
  for (let n = 0; n < MEASURED; n += BATCH) {
    // The longest lane is among them each time.
    const messages = Array.from({ length: BATCH }, (_, i) => messageOf(i, `new.${n}`));
    await accept.of(BATCH, () => Promise.all(messages.map((message) => store.messages.accept(message))));
    const from = n % Math.max(1, heads.length - BATCH);
    const lanes = [...heads.slice(0, 1), ...heads.slice(from + 1, from + BATCH)];
    const next = (await Promise.all(lanes.map(({ chat }) => store.messages.headOf(chat)))).filter(
      (it) => it !== undefined,
    );
    await head.of(lanes.length, () => Promise.all(lanes.map(({ chat }) => store.messages.headOf(chat))));
    await deliver.of(next.length, () => Promise.all(next.map(({ seq }) => answer(seq))));
    await reply.of(next.length, () => Promise.all(next.map(({ chat }) => send(chat))));
  }
  const { delivered } = await store.counters();
  await forget.of(delivered, () => store.retention.sweep({ textsDays: 0, keysDays: 0, deadLettersDays: 0 }));
  store.close();
  const costs = { head: head.each, accept: accept.each, deliver: deliver.each, reply: reply.each, forget: forget.each };
  return { startMs, memoryMb, ...costs };
}

/** The list of chats as the console asks for it, each time with the counts of those on it, ms. */
async function measureList(): Promise<ListScale> {
  const store = openStore(folder, systemClock);
  const chats = Number(count);
  const ask = async (filter: { chatId?: string }, before: number | null) => {
    const page = await store.operator.chats(filter, before, LISTED);
    await store.operator.chatCounts(page.rows.map(({ chat }) => chat));
    return page;
  };
  const timed = async (turns: number, work: (turn: number) => Promise<unknown>) => {
    const begun = performance.now();
    for (let turn = 0; turn < turns; turn += 1) await work(turn);
    return (performance.now() - begun) / turns;
  };
  const someone = (turn: number) => messageOf(Math.floor((turn * chats) / TURNS), "").chat_id;
  await ask({}, null);
  const firstMs = await timed(TURNS, () => ask({}, null));
  let next: number | null = null;
  const nextMs = await timed(Math.min(TURNS, Math.floor(chats / LISTED)), async () => {
    ({ next } = await ask({}, next));
  });
  const middleMs = await timed(TURNS, () => ask({}, Math.ceil(chats / 2)));
  const searchMs = await timed(TURNS, async (turn) => {
    const { rows } = await ask({ chatId: someone(turn) }, null);
    if (rows.length !== 1) throw new Error(`${rows.length} chats were found of ${someone(turn)}`);
  });
  // The list is of chats by their last message: all of these are of one.
  for (let n = 0; n < BEHIND_ONE; n += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => store.messages.accept(messageOf(0, `new.${n + i}`))));
  const behindOneMs = await timed(TURNS, async () => {
    let rows = 0;
    for (let before: number | null = null; rows < LISTED; ) {
      const page = await ask({}, before);
      rows += page.rows.length;
      before = page.next;
      if (before === null) break;
    }
  });
  store.close();
  return { firstMs, nextMs, middleMs, searchMs, behindOneMs };
}

/** One chat alone: each step is a commit of its own there. */
async function measureOneChat(): Promise<OneChatScale> {
  const begun = performance.now();
  const store = openStore(folder, systemClock);
  const [lane] = await store.messages.laneHeads();
  const startMs = performance.now() - begun;
  if (!lane) throw new Error("nothing waits");
  const { answer, send } = worker(store);
  const [accept, head, deliver, reply] = [new Cost(), new Cost(), new Cost(), new Cost()];
  for (let n = 0; n < MEASURED / 10; n += 1) {
    await accept.of(1, () => store.messages.accept(messageOf(0, `new.${n}`)));
    let seq = 0;
    await head.of(1, async () => {
      seq = (await store.messages.headOf(lane.chat))?.seq ?? 0;
    });
    await deliver.of(1, () => answer(seq));
    await reply.of(1, () => send(lane.chat));
  }
  store.close();
  return { startMs, head: head.each, accept: accept.each, deliver: deliver.each, reply: reply.each };
}

const MEASURES: Record<string, () => Promise<Scale | ListScale | OneChatScale>> = {
  alike: measure,
  list: measureList,
  one: measureOneChat,
};

if (task === "fill") {
  const store = openStore(folder, systemClock);
  await fill(store, Number(count));
  store.close();
} else process.send?.(await MEASURES[sharing]?.());
process.disconnect?.();
