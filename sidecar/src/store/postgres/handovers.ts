import type { HandoverEnd, HandoverStore } from "../handovers.ts";
import type { Batches } from "./batches.ts";
import { NOT_PASSED_OVER } from "./commands.ts";
import type { Queries } from "./connection.ts";
import { HANDOVER_ENDED } from "./send.ts";

interface HandoversParts {
  db: Queries;
  batches: Batches;
  accounts: () => readonly string[];
}

/** Commands that OpenClaw has in its own queue, with the verbs of the embedded store: see there. */
export class Handovers implements HandoverStore {
  readonly #parts: HandoversParts;

  constructor(parts: HandoversParts) {
    this.#parts = parts;
  }

  /** Their commands, by id, newest first; of one account, or of all that are ours. */
  async open(limit: number, account?: string): Promise<number[]> {
    const { db, accounts } = this.#parts;
    const rows = await db.rows<{ id: number }>(
      `SELECT id FROM commands WHERE account_id = ANY ($1) AND state = 'queued_by_gateway' AND ${NOT_PASSED_OVER}
       ORDER BY id DESC LIMIT $2`,
      ...[account === undefined ? accounts() : [account], limit],
    );
    return rows.map(({ id }) => id);
  }

  /** OpenClaw has it no more. */
  async ended(id: number, end: HandoverEnd): Promise<void> {
    await this.#parts.batches.run(HANDOVER_ENDED, { id, end });
  }
}
