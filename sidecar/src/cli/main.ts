import { codeOf, VERSION } from "@hotbags/shared";
import yargs, { type Argv } from "yargs";
import { SettingsError } from "../settings.ts";
import { complaintOf, mistakeIn } from "./complaint.ts";
import { COMPLETION_HELP, shellFor } from "./completion.ts";
import { showConfig } from "./config.ts";
import { contractCommands } from "./contract.ts";
import { ENVIRONMENT } from "./environment.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { alertLines } from "./lines/alerts.ts";
import { chatLines } from "./lines/chats.ts";
import { checkLines } from "./lines/checks.ts";
import { commandLines } from "./lines/commands.ts";
import { configLines } from "./lines/config.ts";
import { consoleLines } from "./lines/console.ts";
import { makeContext, outputFor } from "./lines/context.ts";
import { messageLines } from "./lines/messages.ts";
import { movingLines } from "./lines/moving.ts";
import { withEnvFile } from "./lines/options.ts";
import { stateLines } from "./lines/state.ts";
import { watchLines } from "./lines/watching.ts";
import { plain, say } from "./output.ts";
import { STATES, valuesAreFine } from "./values.ts";

/** `, Europe/Madrid`, as TZ or the system has it. */
function zone(): string {
  return `, ${Intl.DateTimeFormat().resolvedOptions().timeZone}`;
}

const EXIT_CODES = `Exit codes, of every command:
  0   done
  1   the answer is no: unhealthy, not found, refused, not done
  2   the command line is wrong
  3   nobody can be asked: no sidecar, no database, or this user may not
  78  the settings, or the file of --env-file, won't do; of serve also all else that a restart does not help against

Times are this machine's, by its time zone${zone()}; those of --json are UTC.`;

/** What can be given more than once. */
const SEVERAL = new Set(["ids"]);

/** Runs the command line. Resolves with the exit code. */
export async function main(args: string[], environment: NodeJS.ProcessEnv): Promise<number> {
  let code: number = EXIT.ok;
  // Whoever reads it may have enough, as `head` does.
  process.stdout.on("error", (error) => {
    if (codeOf(error) !== "EPIPE") throw error;
  });
  const program = makeProgram(args, environment, (result) => {
    code = result;
  });
  try {
    if (args[0] !== "completion") await program.parseAsync(args);
    else await complete(program, shellFor(args.slice(1), environment["SHELL"]));
    return code;
  } catch (error) {
    const isKnown = error instanceof CliError || error instanceof SettingsError;
    if (!isKnown) throw error;
    // A script reads JSON on standard output, whatever came of it.
    if (args.includes("--json")) process.stdout.write(`${JSON.stringify({ error: error.message })}\n`);
    say(outputFor(false), `hotbags: ${error.message.split("\n").map(plain).join("\n")}`);
    return error instanceof CliError ? error.code : EXIT.config;
  }
}

/** The command line itself; `end` is told the exit code. */
export function makeProgram(args: string[], environment: NodeJS.ProcessEnv, end: (code: number) => void): Argv {
  const context = makeContext(environment, end);
  const program = yargs()
    .scriptName("hotbags")
    .usage("$0 <command>\n\nTakes WhatsApp messages from OpenClaw to Hot Bags, and the replies back.")
    .command(
      "serve",
      "Run the sidecar until it is stopped",
      (options) => withEnvFile(options).epilogue(ENVIRONMENT),
      async ({ envFile }) => {
        // All that serves, which no other command needs, takes most of the time that a command takes.
        const { serve } = await import("./serve.ts");
        end(await serve(environment, envFile));
      },
    );
  const watching = watchLines(program, context)
    .command("messages", "Look at messages, and repair dead letters", messageLines(context))
    .command("commands", "Look at replies, and settle those in doubt", commandLines(context))
    .command("chats", "Pause the replies of a chat", chatLines(context))
    .command("alerts", "See what was wrong, and try how alerts reach you", alertLines(context))
    .command("console", "A link to the owner's page, and who is logged in there", consoleLines(context))
    .command(
      "config",
      "The settings, where each is from, and what is wrong with them",
      configLines(context),
      async ({ json, stateDir, envFile }) => end(await showConfig({ environment, stateDir, envFile }, outputFor(json))),
    );
  const whole = movingLines(stateLines(checkLines(watching, context), context), context)
    .command("contract", "For those who write Hot Bags: a stand-in, and checks", contractCommands(environment, end))
    .command(
      "version",
      "The version",
      (options) => options.option("json", { type: "boolean", default: false, describe: "As JSON, for scripts" }),
      ({ json }) => void process.stdout.write(`${json ? JSON.stringify({ version: VERSION }) : VERSION}\n`),
    )
    .completion(
      "completion",
      "Print what a shell (bash, zsh or fish) needs to complete commands: --help says where to put it",
      (current: string, _argv: unknown, others: (done?: () => void) => void, done: (words: string[]) => void) => {
        const states = statesFor(args);
        if (states) done(completed(current, states));
        else others();
      },
    )
    .demandCommand(1, "a command is missing")
    .strict()
    .recommendCommands()
    .parserConfiguration({ "parse-positional-numbers": false, "strip-dashed": true })
    .version(VERSION)
    .help()
    .alias("help", "h")
    .epilogue(EXIT_CODES)
    .wrap(process.stdout.isTTY ? Math.min(120, process.stdout.columns) : 120)
    .exitProcess(false)
    .check((given) => {
      const mistake = mistakeIn(given, SEVERAL);
      if (mistake !== null) throw new CliError(EXIT.usage, mistake);
      valuesAreFine(given);
      return true;
    }, true)
    .fail((message, error, command) => {
      // Its own complaints come as errors of this name, some without a message.
      if (error && error.name !== "YError") throw error;
      const complaint = message ?? error?.message ?? "the command line is wrong";
      // yargs' types have it otherwise; its documentation has it so (docs/api.md, fail).
      const help = (command as unknown as { help(): string }).help();
      throw new CliError(EXIT.usage, complaintOf(complaint, help, args));
    });
  // Beside a command's own options it would say nothing of the command. yargs' types lack the second parameter.
  return (whole as unknown as { global(option: string, isGlobal: boolean): Argv }).global("version", false);
}

/** `shell`: null prints the help. yargs looks for the shell in the environment of this process. */
async function complete(program: Argv, shell: string | null): Promise<void> {
  if (shell === null) return void process.stdout.write(COMPLETION_HELP);
  process.env["SHELL"] = shell;
  await program.parseAsync(["completion"]);
}

/** What can stand behind `--state`, when that is what is to be completed. */
function statesFor(args: string[]): readonly string[] | undefined {
  if (args.at(-2) !== "--state") return undefined;
  const command = args.find((arg) => Object.hasOwn(STATES, arg));
  return command === undefined ? undefined : STATES[command];
}

/** Of a list with commas, the last word. */
function completed(current: string, words: readonly string[]): string[] {
  const before = current.slice(0, current.lastIndexOf(",") + 1);
  return words.filter((word) => word.startsWith(current.slice(before.length))).map((word) => before + word);
}
