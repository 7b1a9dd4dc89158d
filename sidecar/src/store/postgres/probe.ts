import { MAX_FRAME_BYTES } from "@hotbags/shared";
import type { Connection } from "./connection.ts";
import { faultCode } from "./faults.ts";

/** What says that there was no room: a small write could find some where the largest message does not. */
const DISK_FULL = "53100";
const SMALL_BYTES = 1_000;

/** Whether the database takes a message: as much is written, committed, and deleted. Rejects with what stands in the way. */
export async function probe(connection: Connection, cause: unknown): Promise<void> {
  const filler = Buffer.alloc(faultCode(cause) === DISK_FULL ? MAX_FRAME_BYTES : SMALL_BYTES);
  await connection.transaction(async (tx) => {
    await tx.rows("INSERT INTO probe (filler) VALUES ($1)", filler);
    await tx.rows("DELETE FROM probe");
  });
}
