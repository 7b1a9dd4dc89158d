export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

/** A field larger than this says more about OpenClaw's prompt than about the message. In bytes of JSON. */
export const MAX_FIELD_BYTES = 16 * 1024;
/** Values visited in one field, so that a cycle or a giant list costs a bounded time in the hook. */
const MAX_FIELD_VALUES = 5_000;
const MAX_DEPTH = 12;

/** Stands for what is too large, nested too deep, or can't be read. */
export const TOO_MUCH = Symbol("too much");

/**
 * A copy of what `read` gives, as plain JSON: no functions, no bytes, nothing named in `leftOut`. Checks that recurse, and
 * JSON.stringify, can be let loose on it. A cycle, thousands of levels and a getter that throws are `TOO_MUCH`. Never
 * throws.
 */
export function boundedCopy(read: () => unknown, leftOut: ReadonlySet<string>): Json | undefined | typeof TOO_MUCH {
  let visited = 0;
  const copy = (value: unknown, depth: number): Json | undefined => {
    visited += 1;
    if (visited > MAX_FIELD_VALUES || depth > MAX_DEPTH) throw TOO_MUCH;
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "string") {
      if (value.length > MAX_FIELD_BYTES) throw TOO_MUCH;
      return value;
    }
    if (typeof value === "number") return Number.isFinite(value) ? value : null;
    if (typeof value === "bigint") return String(value);
    if (typeof value !== "object" || ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return undefined;
    if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
    if (Array.isArray(value)) {
      // Its holes would be visited too.
      if (value.length > MAX_FIELD_VALUES) throw TOO_MUCH;
      return value.map((item) => copy(item, depth + 1) ?? null);
    }
    const plain: Record<string, Json> = {};
    for (const [name, item] of Object.entries(value)) {
      if (leftOut.has(name) || name === "__proto__") continue;
      const copied = copy(item, depth + 1);
      if (copied !== undefined) plain[name] = copied;
    }
    return plain;
  };
  try {
    return copy(read(), 0);
  } catch {
    return TOO_MUCH;
  }
}
