import { createInterface } from "node:readline/promises";
import { CliError, EXIT } from "./exit-code.ts";
import { type Output, say } from "./output.ts";

/** Says what will be done, and asks whether it should be. Throws CliError when it should not, or nobody can be asked. */
export async function confirm(plan: string, yes: boolean, output: Output): Promise<void> {
  say(output, plan);
  if (yes) return;
  if (!process.stdin.isTTY) throw new CliError(EXIT.usage, "nothing was done: say --yes where nobody can be asked");
  const prompt = createInterface({ input: process.stdin, output: output.err });
  try {
    const answer = await prompt.question("Do it? [y/N] ").catch((error: Error) => ended(error, output));
    if (!/^y(es)?$/i.test(answer.trim())) throw new CliError(EXIT.no, "nothing was done");
  } finally {
    prompt.close();
  }
}

/** Ctrl-C or Ctrl-D in place of an answer. */
function ended(error: Error, { err }: Output): string {
  if (error.name !== "AbortError") throw error;
  err.write("\n");
  return "";
}
