import { join } from "node:path";
import Database from "better-sqlite3";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";

/** A customer's text that would be markup and script, if a page took it for that. */
export const HOSTILE = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>"'>&lt;b&gt; \u202Eabc`;

/** Old messages, delivered yesterday: what a shop with 2,000 a day has after more than a year. */
export const OLD = 1_000_000;

/** Whose only message is older than all the others. */
export const EARLY = "+16660000001";

/** Dead letters of the last hour: more than one request sends again. */
export const MANY = 120;

/** Dead letters of longer ago. What is sent again of the last hour leaves them to whoever asks for one. */
export const DEAD = ["dead-1", "dead-2", "dead-3"];

/** Messages of the account `outlet`. */
export const OUTLET = ["outlet-1", "outlet-2", "outlet-3"];

/** What the sidecar finds: many old messages, some that were given up, and replies in doubt. Returns their numbers by their ids. */
export async function fillState(dir: string): Promise<Record<string, number>> {
  openStore(dir, systemClock).close();
  addOld(dir);
  const store = openStore(dir, systemClock);
  const made: Record<string, number> = {};
  await Promise.all(Array.from({ length: MANY }, (_, n) => giveUp(store, `many-${n}`, `+1777000${1_000 + n}`)));
  for (const id of OUTLET) {
    const { seq } = await store.messages.accept(messageOf(id, "+15550001003", { account_id: "outlet" }));
    await store.messages.delivered(seq, 200, "{}", []);
    made[id] = seq;
  }
  for (const id of DEAD) made[id] = await giveUp(store, id);
  for (const id of ["doubt", "doubt-2"]) made[id] = await leaveInDoubt(store, id);
  store.close();
  letPass(dir, 2 * 3_600_000);
  return made;
}

type Store = ReturnType<typeof openStore>;

async function giveUp(store: Store, id: string, from = BEN): Promise<number> {
  const { seq } = await store.messages.accept(messageOf(id, from, { text: "Do you ship to Spain?" }));
  const error = "Hot Bags answered 500";
  const attempt = { error, status: 500, durationMs: 310, nextAttemptAt: 0, waitMs: 3_600_000, detach: false };
  await store.messages.failed(seq, attempt);
  await store.messages.dead(seq, 500, error, 290);
  return seq;
}

/** So many ms since those in DEAD were given up. */
function letPass(dir: string, ms: number): void {
  const db = new Database(join(dir, "bridge.sqlite"));
  const dead = db.prepare(
    "UPDATE messages SET received_at = received_at - ?, settled_at = settled_at - ? WHERE message_id = ?",
  );
  for (const id of DEAD) dead.run(ms, ms, id);
  db.close();
}

async function leaveInDoubt(store: Store, id: string): Promise<number> {
  const { seq, chat } = await store.messages.accept(messageOf(id, ANNA, { text: HOSTILE }));
  const reply = { commandId: `to-${id}`, type: "send_text", text: HOSTILE, payload: HOSTILE, refusal: null };
  await store.messages.delivered(seq, 200, JSON.stringify({ commands: [] }), [reply]);
  const command = await store.commands.nextOf(chat);
  if (!command) throw new Error("there is no command");
  await store.commands.sending(command.id, "another boot");
  const reason = "nobody knows";
  await store.commands.settled(command.id, "in_doubt", { reason, whatsappMessageId: null, partial: true });
  return seq;
}

/** By SQL: through the store they would take minutes. */
function addOld(dir: string): void {
  const db = new Database(join(dir, "bridge.sqlite"));
  const yesterday = Date.now() - 86_400_000;
  db.exec(`
    BEGIN;
    INSERT INTO chats (account_id, chat_id)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
      SELECT 'default', '+1666' || (1000000 + i) FROM n;
    INSERT INTO chats (account_id, chat_id) VALUES ('default', '${EARLY}');
    INSERT INTO messages (chat, message_id, state, attempts, received_at, settled_at, state_since, status)
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${OLD})
      SELECT (SELECT max(chat) FROM chats) - (i > 1) * (1 + i % 500), 'old-' || i, 'delivered', 1, ${yesterday}, ${yesterday}, ${yesterday}, 200
      FROM n;
    UPDATE counters SET value = value + ${OLD} WHERE name IN ('accepted', 'delivered');
    COMMIT;`);
  db.close();
}
