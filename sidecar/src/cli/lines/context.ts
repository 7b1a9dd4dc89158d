import { readDatabase, readStateDir } from "../../settings.ts";
import { connectOperator, type Operator } from "../connect.ts";
import { CliError, EXIT } from "../exit-code.ts";
import { type Output, say } from "../output.ts";
import type { Common } from "./options.ts";

export const outputFor = (json: boolean): Output => ({ json, out: process.stdout, err: process.stderr });

/** What the commands are run with. `end` is told the exit code. */
export type Context = ReturnType<typeof makeContext>;

export function makeContext(environment: NodeJS.ProcessEnv, end: (code: number) => void) {
  /**
   * Runs what asks an operator's question. `needsSidecar`: of what changes something, or has to be done by the sidecar
   * itself; the others answer from its database, where it does not run. `instead`: what can be done without it.
   */
  const asking =
    <Arguments extends Common>(
      run: (operator: Operator, args: Arguments, output: Output) => Promise<number>,
      needsSidecar: (args: Arguments) => boolean = () => false,
      instead = "",
    ) =>
    async (args: Arguments) => {
      const output = outputFor(args.json);
      const stateDir = args.stateDir ?? readStateDir(environment, args.envFile);
      const operator = await connectOperator(stateDir, () => readDatabase(environment, args.envFile));
      try {
        if (!operator.isRunning && needsSidecar(args))
          throw new CliError(
            EXIT.unreachable,
            `no sidecar runs on ${stateDir}, and this needs one: start it (systemctl start hotbags-sidecar), and ask again${instead}`,
          );
        if (!operator.isRunning) say(output, `No sidecar runs on ${stateDir}: this is what its database says.`);
        end(await run(operator, args, output));
      } finally {
        operator.close();
      }
    };

  /** Runs what is nothing without a sidecar that runs. */
  const changing = <Arguments extends Common>(
    run: (operator: Operator, args: Arguments, output: Output) => Promise<number>,
    instead?: string,
  ) => asking<Arguments>(run, () => true, instead);

  /** Runs what works on the state itself, and asks nobody. */
  const aside =
    <Arguments extends Common>(run: (args: Arguments & { stateDir: string }, output: Output) => Promise<number>) =>
    async (args: Arguments) => {
      const stateDir = args.stateDir ?? readStateDir(environment, args.envFile);
      end(await run({ ...args, stateDir }, outputFor(args.json)));
    };

  return { environment, end, asking, changing, aside };
}
