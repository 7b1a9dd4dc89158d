import { readStateDir } from "../../settings.ts";
import { connectOperator, type Operator } from "../connect.ts";
import { type Output, say } from "../output.ts";
import type { Common } from "./options.ts";

export const outputFor = (json: boolean): Output => ({ json, out: process.stdout, err: process.stderr });

/** What the commands are run with. `end` is told the exit code. */
export type Context = ReturnType<typeof makeContext>;

export function makeContext(environment: NodeJS.ProcessEnv, end: (code: number) => void) {
  /** Runs what asks an operator's question. */
  const asking =
    <Arguments extends Common>(run: (operator: Operator, args: Arguments, output: Output) => Promise<number>) =>
    async (args: Arguments) => {
      const output = outputFor(args.json);
      const stateDir = args.stateDir ?? readStateDir(environment, args.envFile);
      const operator = await connectOperator(stateDir);
      try {
        if (!operator.isRunning) say(output, `No sidecar runs on ${stateDir}: this is what its database says.`);
        end(await run(operator, args, output));
      } finally {
        operator.close();
      }
    };

  /** Runs what works on the state itself, and asks nobody. */
  const aside =
    <Arguments extends Common>(run: (args: Arguments & { stateDir: string }, output: Output) => Promise<number>) =>
    async (args: Arguments) => {
      const stateDir = args.stateDir ?? readStateDir(environment, args.envFile);
      end(await run({ ...args, stateDir }, outputFor(args.json)));
    };

  return { environment, end, asking, aside };
}
