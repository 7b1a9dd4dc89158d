import { randomBytes } from "node:crypto";
import { count, maskAddress } from "@hotbags/shared";
import type { Clock } from "../../clock.ts";
import type { Files } from "../files.ts";
import type { Erased, ErasureRequest } from "../operator.ts";
import { type Entry, NOTED, noteInAudit } from "./audit.ts";
import type { Batches } from "./batches.ts";
import type { Queries } from "./connection.ts";
import { NOTHING, progressAt, STEP_MS } from "./customer-search.ts";
import { type Erasing, FORGOTTEN_CHUNK } from "./erasure-chunk.ts";
import { UNNEEDED } from "./room.ts";
import type { Verb } from "./verb.ts";

interface ErasureParts {
  db: Queries;
  batches: Batches;
  files: Pick<Files, "giveUp">;
  clock: Clock;
}

/**
 * Forgets a customer in all accounts, as the embedded store does: see there. What was overwritten or deleted is in the
 * server's files until it vacuums, in its log until that is recycled, and in whatever copies there are of both: that is the
 * server's to clear, and never said to be done.
 */
export class Erasure {
  readonly #parts: ErasureParts;

  constructor(parts: ErasureParts) {
    this.#parts = parts;
  }

  /** Goes on for a second. Rejects when the store can't be written, or a page can't be read; what was done stays done. */
  async step(request: ErasureRequest, who: string): Promise<Erased> {
    const { db, batches, clock } = this.#parts;
    const began = clock.uptimeMs();
    const erased: Erased = {
      found: { ...NOTHING },
      ...{ forgotten: 0, left: 0, next: request.after, progress: 0, isNumberGone: false, isLogCleared: false },
      ...{ chats: [], resolved: [] },
    };
    // Before the number is gone.
    const chats = await db.rows<{ chat: number }>(
      "SELECT chat FROM chats WHERE chat_id = $1 ORDER BY chat",
      request.number,
    );
    const subject = chats[0]?.chat ?? 0;
    const about = { who, action: `forget ${maskAddress(request.number)}`, kind: "chat", subject } as const;
    if (request.after === 0) await batches.run(BEGUN, { ...about, result: "begun" });
    while (erased.next !== null && clock.uptimeMs() - began < STEP_MS) await this.#chunk(request, erased.next, erased);
    erased.progress = await progressAt(db, erased.next);
    if (erased.next !== null) return erased;
    const left = request.left + erased.left;
    const gone = count(request.forgotten + erased.forgotten, "message");
    const result = erased.isNumberGone
      ? `done: ${gone} forgotten`
      : `${gone} forgotten, ${count(left, "message")} left: they wait, or their replies do`;
    await batches.run(NOTED, { ...about, result });
    return erased;
  }

  async #chunk(request: ErasureRequest, after: number, into: Erased): Promise<void> {
    const { batches, files } = this.#parts;
    const asked: Erasing = { ...request, after, left: request.left + into.left };
    const done = await batches.run(FORGOTTEN_CHUNK, asked);
    for (const name of Object.keys(NOTHING) as (keyof typeof NOTHING)[]) into.found[name] += done.found[name];
    into.forgotten += done.forgotten;
    into.left += done.left;
    into.next = done.next;
    into.isNumberGone = done.isNumberGone;
    into.chats.push(...done.chats);
    into.resolved.push(...done.resolved);
    if (done.files.length > 0) await batches.run(UNNEEDED, { names: done.files, files });
  }
}

/** The key for what is forgotten is there before anything is, so that whoever takes in what comes again has it. */
const BEGUN: Verb<Entry, void> = {
  name: "audit",
  keyOf: () => "audit",
  async write(writing, inputs) {
    await writing.rows("INSERT INTO erasure (id, secret) VALUES (1, $1) ON CONFLICT DO NOTHING", randomBytes(32));
    for (const entry of inputs) await noteInAudit(writing, entry);
    return inputs.map(() => undefined);
  },
};
