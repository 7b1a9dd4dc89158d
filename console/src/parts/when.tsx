import { showTime } from "../texts/index.ts";

/** A time as a person reads it, and as a program does. */
export function When({ at }: { at: string }) {
  return <time dateTime={at}>{showTime(at)}</time>;
}
