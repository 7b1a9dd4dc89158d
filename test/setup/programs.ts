import { existsSync } from "node:fs";
import { join } from "node:path";

/** Whether a test that needs this program can run. CI has all of them. */
export function has(program: string): boolean {
  if (process.env["CI"]) return true;
  return (process.env["PATH"] ?? "").split(":").some((folder) => existsSync(join(folder, program)));
}
