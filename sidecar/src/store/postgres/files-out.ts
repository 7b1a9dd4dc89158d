import { OMITTED } from "@hotbags/shared";
import { RowContradictedError } from "../errors.ts";
import type { InlinedFile } from "../lay-out.ts";
import type { PendingMessage } from "../messages.ts";
import { type Shift, takeOut } from "../take-out.ts";
import { refused, type Verb } from "./verb.ts";
import type { Writing } from "./writing.ts";

/** Files that do not go along with their message any more. */
export interface FilesOut {
  message: PendingMessage;
  files: readonly InlinedFile[];
}

/** They can't be read: they are the message's no more. */
export const FILES_LOST = filesOutVerb("file-lost", OMITTED.lost, "DELETE FROM media WHERE true");

/** Hot Bags takes no body of this size: they are kept, and described. */
export const FILES_LEFT_OUT = filesOutVerb(
  "files-left-out",
  OMITTED.tooLargeToInline,
  "UPDATE media SET place = NULL WHERE true",
);

/** `change`: of their rows. Says what the message is from then on: what is POSTed is what is committed. */
function filesOutVerb(name: string, why: string, change: string): Verb<FilesOut, PendingMessage> {
  return {
    name,
    keyOf: ({ message: { seq } }) => `message ${seq}`,
    async write(writing, inputs) {
      const changed: PendingMessage[] = [];
      for (const [place, input] of inputs.entries()) {
        const message = await writeOne(writing, input, why, change);
        // A file that stays in the body would be left out again and again, at once.
        if (!message) throw refused(place, new RowContradictedError("a file of message", input.message.seq));
        changed.push(message);
      }
      return changed;
    },
  };
}

/** Undefined: the rows are not as the message says. */
async function writeOne(
  writing: Writing,
  { message, files }: FilesOut,
  why: string,
  change: string,
): Promise<PendingMessage | undefined> {
  const { seq, account_id } = message;
  writing.mustOwn(account_id);
  const { request, shifts } = takeOut(message.request, files, why);
  const out = new Set(files.map(({ position }) => position));
  const inlined = message.inlined.filter(({ position }) => !out.has(position)).map((file) => shifted(file, shifts));
  const [written] = await writing.rows<{ requests: number; out: number; moved: number }>(
    `WITH ours AS (
       SELECT seq FROM messages WHERE seq = $2 AND account_id = ANY ($1)
     ), written AS (
       UPDATE payloads SET request = $3 WHERE seq IN (SELECT seq FROM ours) RETURNING 1
     ), out AS (
       ${change} AND seq IN (SELECT seq FROM ours) AND position = ANY ($4::int[]) RETURNING 1
     ), moved AS (
       UPDATE media SET place = g.place FROM unnest($5::int[], $6::bigint[]) AS g (position, place)
       WHERE seq IN (SELECT seq FROM ours) AND media.position = g.position AND media.place IS NOT NULL RETURNING 1
     )
     SELECT (SELECT count(*) FROM written) AS requests, (SELECT count(*) FROM out) AS out, (SELECT count(*) FROM moved) AS moved`,
    ...[writing.accounts, seq, request, [...out]],
    inlined.map(({ position }) => position),
    inlined.map(({ place }) => place),
  );
  const isDone = written?.requests === 1 && written.out === out.size && written.moved === inlined.length;
  return isDone ? { ...message, request, inlined } : undefined;
}

function shifted(file: InlinedFile, shifts: readonly Shift[]): InlinedFile {
  const by = shifts.reduce((sum, shift) => (shift.place < file.place ? sum + shift.by : sum), 0);
  return { ...file, place: file.place + by };
}
