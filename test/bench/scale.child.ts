// One store with so many messages waiting, by itself. `fill` writes them; `measure`, in a process of its own, opens the store and works on it.
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";
import { messageOf } from "./flow.ts";
import type { Scale } from "./scale.ts";

const [folder = "", task = "", count = "0"] = process.argv.slice(2);
const BATCH = 32;
const MEASURED = 3_200;
const COMMAND = {
  commandId: "",
  type: "send_text",
  text: "Yes, in red too.",
  payload: "Yes, in red too.",
  refusal: null,
};

async function fill(store: Store, waiting: number): Promise<void> {
  // Ten of each chat, and one chat with a tenth of all.
  for (let n = 0; n < waiting; n += 5_000) {
    const batch = Array.from({ length: Math.min(5_000, waiting - n) }, (_, i) => n + i);
    await Promise.all(
      batch.map((at) => store.messages.accept(messageOf(at % 10 === 0 ? 0 : Math.floor(at / 10), String(at)))),
    );
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

async function measure(): Promise<Scale> {
  const begun = performance.now();
  const rss = process.memoryUsage.rss();
  const store = openStore(folder, systemClock);
  const heads = await store.messages.laneHeads();
  const startMs = performance.now() - begun;
  const memoryMb = (process.memoryUsage.rss() - rss) / 1e6;
  const [head, accept, deliver, reply, forget] = [new Cost(), new Cost(), new Cost(), new Cost(), new Cost()];
  const answer = (seq: number) => store.messages.delivered(seq, 200, "{}", [{ ...COMMAND, commandId: `re:${seq}` }], 1);
  const send = async (chat: number) => {
    const { id } = store.commands.nextOf(chat) ?? { id: 0 };
    await store.commands.sending(id, "boot");
    await store.commands.settled(id, "sent", { reason: null, whatsappMessageId: `WA${id}` });
  };
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

if (task === "fill") {
  const store = openStore(folder, systemClock);
  await fill(store, Number(count));
  store.close();
} else process.send?.(await measure());
process.disconnect?.();
