import type { CounterName } from "../counters.ts";
import { RowContradictedError } from "../errors.ts";
import { FencedOffError } from "./lease.ts";
import type { CommandChange } from "./reports.ts";
import { refuse } from "./verb.ts";
import type { Writing } from "./writing.ts";

/** A command that an UPDATE has moved, with what counts, reports and listeners need. */
export interface MovedRow extends Omit<CommandChange, "from"> {
  chat: number;
}

/**
 * Runs an UPDATE of `commands` and notes what it has moved: counters, reports and what listeners are told. Of the accounts
 * that are ours only, which is `$1`; `$2` is the state that the rows were in, and `values` begin with `$3`.
 */
export async function movedRows(
  writing: Writing,
  update: string,
  from: string,
  ...values: readonly unknown[]
): Promise<MovedRow[]> {
  return await movedRowsOf(writing, writing.accounts, update, from, ...values);
}

/** The same of these accounts, which are ours or locked. */
export async function movedRowsOf(
  writing: Writing,
  accounts: readonly string[],
  update: string,
  from: string,
  ...values: readonly unknown[]
): Promise<MovedRow[]> {
  const moved = await writing.rows<MovedRow>(
    // Which rows these are is for `update` to say, and no index's to find by the state: see IS_STILL_PENDING.
    `WITH moved AS (
       ${update} AND commands.account_id = ANY ($1) AND commands.state || '' = $2
       RETURNING commands.id, commands.seq, commands.chat, commands.command_id, commands.owns_id, commands.state AS to,
         commands.whatsapp_message_id, commands.partial, commands.last_error
     )
     SELECT moved.*, c.account_id, c.chat_id, CASE WHEN m.outbound IS NULL THEN m.message_id END AS message_id
     FROM moved JOIN chats c USING (chat) JOIN messages m USING (seq) ORDER BY id`,
    accounts,
    from,
    ...values,
  );
  for (const row of moved) {
    writing.moved(row.account_id, `commands_${from}` as CounterName, `commands_${row.to}` as CounterName);
    writing.commandChanged({ ...row, from });
  }
  return moved;
}

/**
 * Of calls whose command was not moved: that is in order where it is in another state. Throws RefusedError for those that
 * are not ours, and those that there are not.
 */
export async function checkUnmoved<I extends { id: number }>(
  writing: Writing,
  inputs: readonly I[],
  moved: readonly { id: number }[],
): Promise<void> {
  if (moved.length === inputs.length) return;
  const done = new Set(moved.map(({ id }) => id));
  const rows = await writing.rows<{ id: number; account_id: string }>(
    "SELECT id, account_id FROM commands WHERE id = ANY ($1)",
    inputs.filter(({ id }) => !done.has(id)).map(({ id }) => id),
  );
  const accounts = new Map(rows.map(({ id, account_id }) => [id, account_id]));
  refuse(inputs, ({ id }) => {
    if (done.has(id)) return undefined;
    const account = accounts.get(id);
    if (account === undefined) return new RowContradictedError("command", id);
    return writing.owns(account) ? undefined : new FencedOffError(account);
  });
}
