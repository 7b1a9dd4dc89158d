import { FencedOffError } from "./lease.ts";
import { refuse, type Verb } from "./verb.ts";
import type { MessageChange, Writing } from "./writing.ts";

/** What is forgotten of messages: texts first, with which a dead letter is discarded, and later their keys. */
export type Part = "texts" | "deadLetters" | "keys" | "deadKeys";

interface Old {
  account: string;
  part: Part;
  /** Messages that are old; none of those whose replies wait or are in doubt is forgotten. */
  seqs: readonly number[];
}

/** Those of them that nothing hangs on. `$1` is the account, `$2` the messages. */
const SETTLED = (state: "delivered" | "dead", hasText: boolean) => `settled AS (
    SELECT seq FROM messages m WHERE account_id = $1 AND seq = ANY ($2) AND state = '${state}' AND has_text = ${hasText}
      AND NOT EXISTS (SELECT 1 FROM commands k WHERE k.seq = m.seq
        AND k.state IN ('pending', 'sending', 'queued_by_gateway', 'in_doubt'))
    FOR UPDATE
  )`;

/** All that quotes a customer or Hot Bags, but for what is in the message's own row. */
const TEXTS = `request AS (
    DELETE FROM payloads WHERE seq IN (SELECT seq FROM settled)
  ), response AS (
    DELETE FROM responses WHERE seq IN (SELECT seq FROM settled)
  ), filed AS (
    DELETE FROM media WHERE seq IN (SELECT seq FROM settled)
  ), told AS (
    UPDATE commands SET text = NULL, details = NULL, file = NULL, said = NULL WHERE seq IN (SELECT seq FROM settled)
      AND num_nonnulls(text, details, file, said) > 0
  )`;

const STATEMENTS: Readonly<Record<Part, string>> = {
  texts: `WITH ${SETTLED("delivered", true)}, ${TEXTS}
    UPDATE messages SET has_text = false WHERE seq IN (SELECT seq FROM settled) RETURNING seq`,
  // As a discard does. Its key begins to grow old only now: the operator can still see what has become of it.
  deadLetters: `WITH ${SETTLED("dead", true)}, ${TEXTS}
    UPDATE messages m SET has_text = false, discarded_at = $3, state_since = $4 FROM chats c
    WHERE m.seq IN (SELECT seq FROM settled) AND c.chat = m.chat
    RETURNING m.seq, m.account_id, c.chat_id, m.message_id, m.outbound`,
  keys: `WITH ${SETTLED("delivered", false)} DELETE FROM messages WHERE seq IN (SELECT seq FROM settled) RETURNING seq`,
  deadKeys: `WITH ${SETTLED("dead", false)} DELETE FROM messages WHERE seq IN (SELECT seq FROM settled) RETURNING seq`,
};

/** Says how many are forgotten. */
export const FORGOTTEN: Verb<Old, number> = {
  name: "forget",
  keyOf: ({ account, part }) => `forget ${part} ${account}`,
  async write(writing, inputs) {
    refuse(inputs, ({ account }) => (writing.owns(account) ? undefined : new FencedOffError(account)));
    const forgotten: number[] = [];
    for (const input of inputs) forgotten.push(await forget(writing, input));
    return forgotten;
  },
};

async function forget(writing: Writing, { account, part, seqs }: Old): Promise<number> {
  const times = part === "deadLetters" ? [writing.now, writing.provenNow] : [];
  const rows = await writing.rows<MessageChange>(STATEMENTS[part], account, seqs, ...times);
  if (part === "deadLetters")
    for (const row of rows) {
      writing.moved(account, "dead", "discarded");
      writing.messageChanged(row, "discarded", null);
    }
  return rows.length;
}
