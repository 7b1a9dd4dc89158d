import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** What came of a program. */
export interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, with nobody to be asked. Rejects only where it can't be started. */
export async function run(program: string, args: readonly string[], cwd?: string): Promise<Ran> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], ...(cwd !== undefined && { cwd }) });
  const closed = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  const [code, stdout, stderr] = await Promise.all([closed, text(child.stdout), text(child.stderr)]);
  return { code, stdout, stderr };
}

/** Its standard output. @throws Error with what it said, where it ended badly. */
export async function must(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const { code, stdout, stderr } = await run(program, args, cwd);
  if (code !== 0) throw new Error(`${[program, ...args].join(" ")} ended with code ${code}:\n${stdout}${stderr}`);
  return stdout;
}
