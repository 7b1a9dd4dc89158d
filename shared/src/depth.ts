import * as z from "zod";

/** Arrays and objects within each other that anything from outside may have. The plugin lets 12 of them into `raw`. */
export const MAX_DEPTH = 32;

/** Whether a value goes deeper. Level by level, without recursion: what is too deep for the checks behind it must not be too deep for this one. */
function isTooDeep(value: unknown): boolean {
  let level: object[] = isContainer(value) ? [value] : [];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return true;
    const below: object[] = [];
    for (const container of level) for (const item of Object.values(container)) if (isContainer(item)) below.push(item);
    level = below;
  }
  return false;
}

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/**
 * Anything that is nested no deeper than MAX_DEPTH; to be piped into the schema proper. Both zod and JSON.stringify recurse, and a few thousand
 * levels, 12 KB of brackets, are the end of the stack.
 */
export const shallow = z
  .unknown()
  .refine((value) => !isTooDeep(value), { error: `must not be nested deeper than ${MAX_DEPTH} levels`, abort: true });
