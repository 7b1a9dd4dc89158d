import type Database from "better-sqlite3";
import type { Clock } from "../../clock.ts";
import type { HandoverEnd, HandoverStore } from "../handovers.ts";
import type { Counters } from "./counters.ts";
import type { Failures } from "./failures.ts";
import type { GroupCommit } from "./group-commit.ts";
import { MESSAGE_ID } from "./outbox-rows.ts";
import type { Pauses } from "./pauses.ts";

interface HandoversParts {
  db: Database.Database;
  commit: GroupCommit;
  counters: Counters;
  failures: Failures;
  pauses: Pauses;
  clock: Clock;
}

/** See HandoverStore. */
export class Handovers implements HandoverStore {
  readonly #commit: GroupCommit;
  readonly #counters: Counters;
  readonly #failures: Failures;
  readonly #pauses: Pauses;
  readonly #clock: Clock;
  readonly #sql: ReturnType<typeof prepare>;

  constructor({ db, commit, counters, failures, pauses, clock }: HandoversParts) {
    this.#pauses = pauses;
    this.#commit = commit;
    this.#counters = counters;
    this.#failures = failures;
    this.#clock = clock;
    this.#sql = prepare(db);
  }

  async open(limit: number): Promise<number[]> {
    return this.#sql.open.all(limit).map(({ id }) => id);
  }

  ended(id: number, end: HandoverEnd): Promise<void> {
    return this.#commit.run("handover-ended", () => {
      const [reason, said, whatsappMessageId] =
        end.to === "sent" ? [null, null, end.whatsappMessageId] : [end.reason, end.said ?? null, null];
      const settledAt = end.to === "pending" ? null : this.#clock.now();
      const moved = this.#sql.end.get(end.to, settledAt, reason, said, whatsappMessageId, id);
      if (!moved) return;
      this.#counters.add("commands_queued_by_gateway", -1);
      this.#counters.add(`commands_${end.to}`, 1);
      if (end.to === "sent") this.#counters.add("replies_sent_from_queue", 1);
      else if (end.dropped) {
        this.#counters.add("replies_dropped", 1);
        this.#failures.note("reply_dropped", moved.message_id, end.reason);
      }
      if (end.to === "pending") this.#pauses.skipHeld(moved.chat);
    });
  }
}

function prepare(db: Database.Database) {
  return {
    open: db.prepare<[number], { id: number }>(
      `SELECT id FROM commands WHERE state = 'queued_by_gateway' AND
         NOT EXISTS (SELECT 1 FROM passed_over_commands o WHERE o.id = commands.id) ORDER BY id DESC LIMIT ?`,
    ),
    // Without its process: asked again by its key, the gateway would only repeat that it was queued.
    end: db.prepare<
      [string, number | null, string | null, string | null, string | null, number],
      { chat: number; message_id: string | null }
    >(
      `UPDATE commands SET state = ?, settled_at = ?, last_error = ?, said = ?, whatsapp_message_id = ?, gateway_process = NULL
       WHERE id = ? AND state = 'queued_by_gateway' RETURNING chat, (SELECT ${MESSAGE_ID} FROM messages m WHERE m.seq = commands.seq) AS message_id`,
    ),
  };
}
