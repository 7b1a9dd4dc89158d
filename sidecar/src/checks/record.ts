import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { codeOf } from "@hotbags/shared";
import type { z } from "zod";

/**
 * Reads a small file that another run of ours has left. Null: there is none, or it can't be understood, as one of another
 * release: it says nothing then. Never throws.
 */
export function readRecord<T>(path: string, form: z.ZodType<T>): T | null {
  try {
    return form.safeParse(JSON.parse(readFileSync(path, "utf8"))).data ?? null;
  } catch {
    return null;
  }
}

/** Writes one, mode 600, whole or not at all. It is worth no error: null, or the code of what failed. */
export function writeRecord(path: string, value: object): string | null {
  const next = `${path}.next`;
  try {
    writeFileSync(next, `${JSON.stringify(value, null, 1)}\n`, { mode: 0o600 });
    renameSync(next, path);
    return null;
  } catch (error) {
    return codeOf(error) || String(error);
  }
}
