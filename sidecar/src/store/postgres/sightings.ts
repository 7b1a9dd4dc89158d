import { randomUUID } from "node:crypto";
import type { Sightings as SightingsVerbs } from "../alerts.ts";
import type { Queries } from "./connection.ts";

/** Of a sidecar that ended without a word. */
const KEPT = "1 day";

/**
 * See there. By the database's clock, so that nobody's own can make a sighting older. It is no account's: nothing guards
 * it, and nothing but the words of an alert comes of it.
 */
export class Sightings implements SightingsVerbs {
  readonly #reader: Queries;
  readonly #writer: Queries;
  readonly #seer = randomUUID();
  #isSwept = false;

  constructor(reader: Queries, writer: Queries) {
    this.#reader = reader;
    this.#writer = writer;
  }

  async put(seen: string): Promise<void> {
    if (!this.#isSwept) await this.#writer.rows(`DELETE FROM sightings WHERE seen_at < now() - interval '${KEPT}'`);
    this.#isSwept = true;
    await this.#writer.rows(
      `INSERT INTO sightings VALUES ($1, $2, clock_timestamp())
       ON CONFLICT (seer) DO UPDATE SET seen = excluded.seen, seen_at = excluded.seen_at`,
      ...[this.#seer, seen],
    );
  }

  async others(ageMs: number): Promise<string[]> {
    const rows = await this.#reader.rows<{ seen: string }>(
      `SELECT seen FROM sightings WHERE seer <> $1 AND seen_at > clock_timestamp() - $2 * interval '1 ms' ORDER BY seer`,
      ...[this.#seer, ageMs],
    );
    return rows.map(({ seen }) => seen);
  }
}
