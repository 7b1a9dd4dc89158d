import type { InlinedFile } from "./lay-out.ts";

const PROPERTY = '"data_base64":"';

/** What was behind `place` in a request is so many bytes further on. */
export interface Shift {
  place: number;
  by: number;
}

/**
 * The request with a sentence in the place of each file's bytes. Those of the other files go on where they belong: by the
 * shifts, in their order, from the last one on.
 */
export function takeOut(
  request: string,
  files: readonly InlinedFile[],
  why: string,
): { request: string; shifts: Shift[] } {
  let bytes = Buffer.from(request);
  const shifts: Shift[] = [];
  // From behind, so that the places before stay right.
  for (const { place } of [...files].sort((a, b) => b.place - a.place)) {
    const sentence = Buffer.from(`"omitted":${JSON.stringify(why)}`);
    const [from, to] = [place - PROPERTY.length, place + 1];
    bytes = Buffer.concat([bytes.subarray(0, from), sentence, bytes.subarray(to)]);
    shifts.push({ place, by: sentence.length - (to - from) });
  }
  return { request: bytes.toString("utf8"), shifts };
}
