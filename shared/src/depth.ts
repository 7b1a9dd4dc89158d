import * as z from "zod";

/** Arrays and objects within each other that anything from outside may have. The plugin lets 12 of them into `raw`. */
export const MAX_DEPTH = 32;

const TOO_DEEP = `must not be nested deeper than ${MAX_DEPTH} levels`;

/**
 * What keeps a value from being used. Level by level, without recursion: what is too deep for the checks behind it must not be too
 * deep for this one. `isAllowed`: asked of each value in it.
 */
function faultOf(value: unknown, isAllowed: (item: unknown) => boolean): "deep" | "foreign" | null {
  if (!isAllowed(value)) return "foreign";
  let level: object[] = isContainer(value) ? [value] : [];
  for (let depth = 1; level.length > 0; depth += 1) {
    if (depth > MAX_DEPTH) return "deep";
    const below: object[] = [];
    for (const container of level)
      for (const item of Object.values(container)) {
        if (!isAllowed(item)) return "foreign";
        if (isContainer(item)) below.push(item);
      }
    level = below;
  }
  return null;
}

function isContainer(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

/** Of what is in an array or an object, that is asked for itself. */
function isJson(item: unknown): boolean {
  if (typeof item === "string" || typeof item === "boolean" || item === null || Array.isArray(item)) return true;
  if (typeof item === "number") return Number.isFinite(item);
  return isContainer(item) && [Object.prototype, null].includes(Object.getPrototypeOf(item));
}

/**
 * Anything that is nested no deeper than MAX_DEPTH; to be piped into the schema proper. Both zod and JSON.stringify recurse, and a few thousand
 * levels, 12 KB of brackets, are the end of the stack.
 */
export const shallow = z
  .unknown()
  .refine((value) => faultOf(value, () => true) === null, { error: TOO_DEEP, abort: true });

/** An object of JSON, nested no deeper. In one look at each value: zod's own asks of each in turn whether it is one of six kinds. */
export const jsonObject = z
  .unknown()
  .refine((value) => isContainer(value) && !Array.isArray(value) && faultOf(value, isJson) === null, {
    error: ({ input }) => (faultOf(input, isJson) === "deep" ? TOO_DEEP : "must be an object of JSON"),
  }) as z.ZodType<Record<string, z.core.util.JSONType>>;
