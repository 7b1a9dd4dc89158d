import { FIRST_CURSOR } from "@hotbags/shared";
import type { RecordedCommand } from "../commands.ts";
import type { OutboundStore } from "../outbound.ts";
import { MAX_OUTBOUND_WAITING, type OutboundPage } from "../outbound.ts";
import type { OutboundRules } from "../outbound-rules.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { FencedOffError, FLEET } from "./lease.ts";
import { Page } from "./outbound-page.ts";
import { refuse, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

interface OutboundParts {
  db: Queries;
  batches: Batches;
}

/**
 * What Hot Bags sends without being asked, with the verbs of the embedded store: see there. There is one outbox for all
 * accounts, so whoever leads reads it for all.
 */
export class Outbound implements OutboundStore {
  readonly #parts: OutboundParts;

  constructor(parts: OutboundParts) {
    this.#parts = parts;
  }

  /** How far the outbox at this path was read. */
  async cursorOf(path: string): Promise<string> {
    return (await readCursor(this.#parts.db, path)).cursor;
  }

  /** What it gives now may have been sent in the time that a restore has lost. */
  async isBehind(path: string): Promise<boolean> {
    return (await readCursor(this.#parts.db, path)).isBehind;
  }

  /** Commands of the outbox that wait to be sent, of all accounts; none more than MAX_OUTBOUND_WAITING are counted. */
  async waiting(): Promise<number> {
    const [row] = await this.#parts.db.rows<{ n: number }>(
      `SELECT count(*) AS n FROM (SELECT 1 FROM commands k JOIN messages m USING (seq)
       WHERE k.state = 'pending' AND m.outbound IS NOT NULL LIMIT ${MAX_OUTBOUND_WAITING}) AS w`,
    );
    return row?.n ?? 0;
  }

  /**
   * Takes in what an answer has, and the cursor behind it, in one transaction. Nothing is written where the cursor is not
   * where the answer began. Resolves with the commands as they were recorded; rejects with FencedOffError where another
   * sidecar leads.
   */
  async take(page: OutboundPage, rules: OutboundRules): Promise<RecordedCommand[]> {
    const bytes = page.commands.reduce((sum, { command }) => sum + command.payload.length, 0);
    return await this.#parts.batches.run(TAKEN, { page, rules }, { bytes });
  }
}

async function readCursor(db: Queries, path: string): Promise<{ cursor: string; isBehind: boolean }> {
  // Of a path that was never read, as far as is known, nobody can say.
  const [row] = await db.rows<{ cursor: string | null; is_behind: boolean }>(
    `SELECT c.cursor, coalesce(c.is_behind, EXISTS (SELECT 1 FROM restores)) AS is_behind
     FROM (VALUES ($1::text)) AS of (path) LEFT JOIN outbox_cursors c USING (path)`,
    path,
  );
  return { cursor: row?.cursor ?? FIRST_CURSOR, isBehind: row?.is_behind ?? false };
}

const TAKEN: Verb<{ page: OutboundPage; rules: OutboundRules }, RecordedCommand[]> = {
  name: "outbox-taken",
  keyOf: ({ page }) => `outbox ${page.path}`,
  async write(writing, inputs) {
    refuse(inputs, () => (writing.leads ? undefined : new FencedOffError(FLEET)));
    const taken: RecordedCommand[][] = [];
    for (const { page, rules } of inputs) taken.push(await take(writing, page, rules));
    return taken;
  },
};

async function take(writing: Writing, page: OutboundPage, rules: OutboundRules): Promise<RecordedCommand[]> {
  const { cursor, isBehind } = await readCursor(writing, page.path);
  if (cursor !== page.after) return [];
  const recorded = await new Page(page.commands, { writing, rules, isBehind }).write();
  await writing.rows(
    `INSERT INTO outbox_cursors VALUES ($1, $2, $3)
     ON CONFLICT (path) DO UPDATE SET cursor = excluded.cursor, is_behind = excluded.is_behind`,
    // Empty: what was there when a restore had lost the time has been seen.
    ...[page.path, page.cursor, isBehind && page.commands.length > 0],
  );
  return recorded;
}
