import type { Clock } from "../../../clock.ts";
import { Files } from "../../files.ts";
import { MoveRefusedError, type MovingSource } from "../../moving.ts";
import { FileLostError } from "../../read-file.ts";
import type { Connection, Queries } from "../connection.ts";
import { nameOf } from "../database-name.ts";
import { KeptFiles } from "../kept-files.ts";
import { ProvenTime } from "../proven-time.ts";
import { AT_WORK_UNTIL, connect, lockMoves, mustBeOurs, NO_LIMIT, RENEW_MS, takeFromAll, told } from "./room.ts";
import { MovingRows } from "./rows.ts";

/** Which store it is; and what each sidecar's last transaction was, so that it changes with each. */
const FINGERPRINT = `SELECT (SELECT oid::text FROM pg_database WHERE datname = current_database()) || ' ' ||
  md5(coalesce(string_agg(writer || ' ' || n, ',' ORDER BY writer), '')) AS fingerprint FROM commits`;

/** The store in a PostgreSQL, to be moved from there, with what lies below `stateDir` beside it. Rejects with MoveRefusedError. */
export async function openPostgresSource(
  url: string,
  { clock, stateDir }: { clock: Clock; stateDir: string },
): Promise<MovingSource> {
  const name = nameOf(url);
  const connection = connect(url);
  try {
    await told(name, () => mustBeOurs(connection, name));
  } catch (error) {
    await connection.close();
    throw error;
  }
  const rows = new MovingRows(connection, stateDir);
  let renewing: NodeJS.Timeout | undefined;
  return {
    name,
    count: (table) => told(name, () => rows.count(table)),
    page: (table, after) => told(name, () => rows.page(table, after)),
    ledger: () => told(name, () => rows.ledger()),
    provenNow: () => told(name, async () => (await ProvenTime.read(connection, clock)).now()),
    async hold(to) {
      const held = await told(name, () => connection.transaction((tx) => hold(tx, name, to), NO_LIMIT));
      // What fails shows at the end: nobody leaves what was changed meanwhile.
      renewing = setInterval(() => void renew(connection).catch(() => {}), RENEW_MS);
      return held;
    },
    bringFiles: () => told(name, () => bringFiles(connection, stateDir, clock)),
    leave: (to, fingerprint) =>
      told(name, () =>
        connection.transaction(async (tx) => {
          const move = await lockMoves(tx);
          if (move?.way === "out" && move.done_at !== null && move.other === to) return;
          await takeFromAll(tx, name);
          if (move?.way !== "out" || move.other !== to || (await readFingerprint(tx)) !== fingerprint)
            throw new MoveRefusedError(
              `a sidecar has worked on ${name} while it was copied: stop it, and run this again, which begins anew`,
            );
          await tx.rows("UPDATE moves SET done_at = clock_timestamp()");
        }, NO_LIMIT),
      ),
    async close() {
      clearInterval(renewing);
      await connection.close();
    },
  };
}

/** What is in a PostgreSQL is the store again, though it was moved away. Resolves with where to; null: it was not. */
export async function undoPostgresMove(url: string): Promise<string | null> {
  const name = nameOf(url);
  const connection = connect(url);
  try {
    return await told(name, async () => {
      await mustBeOurs(connection, name);
      return await connection.transaction(async (tx) => {
        const move = await lockMoves(tx);
        if (move?.way !== "out") return null;
        await tx.rows("DELETE FROM moves");
        return move.other;
      });
    });
  } finally {
    await connection.close();
  }
}

async function hold(tx: Queries, name: string, to: string): Promise<string> {
  const move = await lockMoves(tx);
  await takeFromAll(tx, name);
  if (move?.way === "in" && move.done_at === null)
    throw new MoveRefusedError(
      `the store of ${move.other} is not all in ${name} yet: run \`hotbags migrate --to\` there again, which goes on with it`,
    );
  if (move?.way === "out" && move.other !== to) {
    if (move.done_at !== null)
      throw new MoveRefusedError(
        `the store was moved from ${name} to ${move.other}, at ${move.done_at.toISOString()}: what is here is what there was before`,
      );
    if (move.is_at_work) throw new MoveRefusedError(`the store of ${name} is being moved to ${move.other} just now`);
  }
  // Of one that was moved away there is nothing new.
  if (move?.way === "out" && move.done_at !== null) return move.fingerprint;
  const fingerprint = await readFingerprint(tx);
  await tx.rows(
    `INSERT INTO moves (id, way, other, fingerprint, at_work_until) VALUES (1, 'out', $1, $2, ${AT_WORK_UNTIL})
     ON CONFLICT (id) DO UPDATE SET way = excluded.way, other = excluded.other, fingerprint = excluded.fingerprint,
       begun_at = now(), done_at = NULL, at_work_until = excluded.at_work_until`,
    ...[to, fingerprint],
  );
  return fingerprint;
}

async function bringFiles(connection: Connection, stateDir: string, clock: Clock): Promise<number> {
  const kept = new KeptFiles({ db: connection, inlineBytes: () => Number.POSITIVE_INFINITY });
  const files = new Files(stateDir, Number.POSITIVE_INFINITY, clock, undefined, kept);
  const before = files.status.count;
  for await (const { sha256, size_bytes } of kept.waiting()) {
    await files.verify(sha256, size_bytes).catch((error: unknown) => {
      if (!(error instanceof FileLostError)) throw error;
    });
  }
  return files.status.count - before;
}

async function renew(connection: Connection): Promise<void> {
  await connection.rows(`UPDATE moves SET at_work_until = ${AT_WORK_UNTIL} WHERE way = 'out' AND done_at IS NULL`);
}

async function readFingerprint(tx: Queries): Promise<string> {
  const [row] = await tx.rows<{ fingerprint: string }>(FINGERPRINT);
  return row?.fingerprint ?? "";
}
