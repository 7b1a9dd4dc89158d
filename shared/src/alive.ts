import { codeOf } from "./errors.ts";

/** Whether a process of this number runs, of whichever user. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It runs, under another user.
    return codeOf(error) === "EPERM";
  }
}
