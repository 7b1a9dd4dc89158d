import { codeOf, VERSION } from "@hotbags/shared";
import yargs, { type Argv } from "yargs";
import { COMMAND_STATES, MESSAGE_STATES } from "../operator/schemas.ts";
import { readStateDir, SettingsError } from "../settings.ts";
import { listAlerts, testAlerts } from "./alerts.ts";
import { showAudit } from "./audit.ts";
import { listPausedChats, pauseChat, resumeChat } from "./chats.ts";
import { listCommands, type Resolution, resolveCommands, showCommand } from "./commands.ts";
import { reloadConfig, showConfig } from "./config.ts";
import { connectOperator, type Operator } from "./connect.ts";
import { contractCommands } from "./contract.ts";
import { ENVIRONMENT } from "./environment.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { forgetCustomer } from "./forget.ts";
import { listMessages, repairMessages, showMessage } from "./messages.ts";
import { type Output, say } from "./output.ts";
import { showStatus } from "./status.ts";

const EXIT_CODES = `Exit codes: 0 done; 1 done, and the answer is no (unhealthy, not found, refused); 2 the command line is wrong;
3 no sidecar and no database can be reached; 78 (serve) only a human can change it.`;

const FEW = 50;

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
    await program.parseAsync(args);
    return code;
  } catch (error) {
    const isKnown = error instanceof CliError || error instanceof SettingsError;
    if (!isKnown) throw error;
    // A script reads JSON on standard output, whatever came of it.
    if (args.includes("--json")) process.stdout.write(`${JSON.stringify({ error: error.message })}\n`);
    process.stderr.write(`hotbags: ${error.message}\n`);
    return error instanceof CliError ? error.code : EXIT.config;
  }
}

interface Common {
  json: boolean;
  stateDir?: string | undefined;
  envFile?: string | undefined;
}

const outputFor = (json: boolean): Output => ({ json, out: process.stdout, err: process.stderr });

function makeProgram(args: string[], environment: NodeJS.ProcessEnv, end: (code: number) => void): Argv {
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

  const withEnvFile = <T>(options: Argv<T>) =>
    options.option("env-file", {
      type: "string",
      requiresArg: true,
      describe: "A file of NAME=value lines, for what the environment does not set",
    });

  /** Runs what works on the state itself, and asks nobody. */
  const aside =
    <Arguments extends Common>(run: (args: Arguments & { stateDir: string }, output: Output) => Promise<number>) =>
    async (args: Arguments) => {
      const stateDir = args.stateDir ?? readStateDir(environment, args.envFile);
      end(await run({ ...args, stateDir }, outputFor(args.json)));
    };

  const common = <T>(options: Argv<T>) =>
    withEnvFile(options)
      .option("json", { type: "boolean", default: false, describe: "The answer as JSON, for scripts" })
      .option("state-dir", {
        type: "string",
        defaultDescription: "BRIDGE_STATE_DIR, or ~/.local/state/hotbags-bridge",
        describe: "Where the sidecar keeps its state",
      });
  const list = <T>(options: Argv<T>, states: readonly string[]) =>
    common(options)
      .option("state", { type: "string", describe: `Some of ${states.join(", ")}, separated by commas` })
      .option("since", { type: "string", describe: "2h, 30m, 7d ago, or a time" })
      .option("chat", { type: "string", describe: "A customer's number, or a group" })
      .option("limit", { type: "number", default: FEW, describe: "At most so many, the newest first" })
      .check(({ limit }) => limitIsFine(limit));
  const content = <T>(options: Argv<T>) =>
    options.option("content", {
      type: "boolean",
      default: false,
      describe: "With what was said in it. This is noted in the audit",
    });
  const choice = <T>(options: Argv<T>) =>
    common(options)
      .positional("ids", { type: "string", array: true, default: [] as string[], describe: "Numbers, or message_ids" })
      .option("dead-since", { type: "string", describe: "All that became dead letters since: 2h, 7d, or a time" })
      .option("all-dead", { type: "boolean", default: false, describe: "All dead letters" })
      .option("yes", { type: "boolean", default: false, describe: "Nobody is asked" });

  const messages = (program: Argv) =>
    program
      .command(
        "list",
        "Messages, newest first",
        (options) => list(options, MESSAGE_STATES),
        asking((operator, args, output) => listMessages(operator, args, output)),
      )
      .command(
        "show <id>",
        "The whole life of one message",
        (options) => content(common(options).positional("id", { type: "string", demandOption: true })),
        asking((operator, { id, content }, output) => showMessage(operator, id, content, output)),
      )
      .command(
        "retry [ids..]",
        "Send dead letters again: with their own keys, in their places",
        choice,
        asking((operator, args, output) => repairMessages(operator, "retry", args, output)),
      )
      .command(
        "discard [ids..]",
        "Be done with dead letters: their texts and files are deleted, their keys stay",
        choice,
        asking((operator, args, output) => repairMessages(operator, "discard", args, output)),
      )
      .example("$0 messages list --state dead --since 2h", "What became a dead letter")
      .example("$0 messages retry --dead-since 1d", "Send it again, once Hot Bags is mended")
      .demandCommand(1, "say what to do with them: list, show, retry or discard");

  const commands = (program: Argv) =>
    program
      .command(
        "list",
        "Commands of Hot Bags, newest first",
        (options) => list(options, COMMAND_STATES),
        asking((operator, args, output) => listCommands(operator, args, output)),
      )
      .command(
        "show <id>",
        "One command, and what can be done with it",
        (options) => content(common(options).positional("id", { type: "string", demandOption: true })),
        asking((operator, { id, content }, output) => showCommand(operator, id, content, output)),
      )
      .command(
        "resolve [ids..]",
        "Settle commands of which nobody knows whether they were sent",
        (options) =>
          common(options)
            .positional("ids", {
              type: "string",
              array: true,
              default: [] as string[],
              describe: "Numbers, or command_ids",
            })
            .option("all", { type: "boolean", default: false, describe: "All that are in doubt" })
            .option("chat", { type: "string", describe: "With --all: of a customer's number, or a group" })
            .option("since", { type: "string", describe: "With --all: come back since 2h, 7d ago, or a time" })
            .option("sent", { type: "boolean", describe: "The customer has it" })
            .option("resend", { type: "boolean", describe: "Send it once more: it can come twice" })
            .option("discard", { type: "boolean", describe: "Never send it" })
            .option("dry-run", { type: "boolean", default: false, describe: "Only show what would be settled" })
            .option("yes", { type: "boolean", default: false, describe: "Nobody is asked" }),
        asking((operator, args, output) => resolveCommands(operator, args, resolutionOf(args), output)),
      )
      .example("$0 commands list --state in_doubt", "Replies that may have been sent, or not")
      .example("$0 commands resolve 17 --sent", "The customer has it: the phone shows it")
      .example("$0 commands resolve --all --resend --dry-run", "What would be sent once more, as after a restore")
      .demandCommand(1, "say what to do with them: list, show or resolve");

  const ofChat = <T>(options: Argv<T>) =>
    common(options)
      .positional("chat", { type: "string", demandOption: true, describe: "A customer's number, or a group" })
      .option("account", { type: "string", default: "default", describe: "Its WhatsApp account" });
  const chats = (program: Argv) =>
    program
      .command(
        "list",
        "Chats that are paused",
        (options) => common(options),
        asking((operator, _args, output) => listPausedChats(operator, output)),
      )
      .command(
        "pause <chat>",
        "Let no reply out in a chat, while you answer there yourself",
        (options) =>
          ofChat(options)
            .option("for", { type: "string", default: "2h", describe: "How long: 30m, 2h, 7d at most" })
            .option("skip", { type: "boolean", default: false, describe: "Replies are skipped instead of held" }),
        asking((operator, args, output) => pauseChat(operator, args, output)),
      )
      .command(
        "resume <chat>",
        "End every pause of a chat",
        ofChat,
        asking((operator, args, output) => resumeChat(operator, args, output)),
      )
      .example("$0 chats pause +15550001000 --for 2h", "You answer this customer yourself")
      .demandCommand(1, "say what to do with them: list, pause or resume");

  const config = (program: Argv) =>
    common(program)
      .command(
        "reload",
        "Have the running sidecar read them again, and go on with them",
        (options) => common(options),
        asking((operator, _args, output) => reloadConfig(operator, output)),
      )
      .example("$0 config --env-file /etc/hotbags/sidecar.env", "Check a file before the sidecar gets it")
      .epilogue("A sidecar that runs is asked, unless --env-file names another file than its own.");

  const alerts = (program: Argv) =>
    program
      .command(
        "list",
        "Alerts that last, and those that are over",
        (options) =>
          common(options)
            .option("limit", { type: "number", default: FEW, describe: "At most so many that are over" })
            .check(({ limit }) => limitIsFine(limit)),
        asking((operator, { limit }, output) => listAlerts(operator, limit, output)),
      )
      .command(
        "test",
        "Send a test every way that is set",
        (options) => common(options),
        asking((operator, _args, output) => testAlerts(operator, output)),
      )
      .example("$0 alerts test", "After a change of ALERT_WEBHOOK_URL or ALERT_COMMAND")
      .demandCommand(1, "say what to do with them: list or test");

  return yargs()
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
    )
    .command(
      "status",
      "Are customers being answered?",
      (options) => common(options),
      asking((operator, _args, output) => showStatus(operator, output)),
    )
    .command("messages", "Look at messages, and repair dead letters", messages)
    .command("commands", "Look at replies, and settle those in doubt", commands)
    .command("chats", "Pause the replies of a chat", chats)
    .command("alerts", "See what was wrong, and try how alerts reach you", alerts)
    .command(
      "config",
      "The settings, where each is from, and what is wrong with them",
      config,
      async ({ json, stateDir, envFile }) => end(await showConfig({ environment, stateDir, envFile }, outputFor(json))),
    )
    .command(
      "forget <number>",
      "Delete all that there is of a customer who asks for that",
      (options) =>
        common(options)
          .positional("number", { type: "string", demandOption: true, describe: "Their number, such as +15550001000" })
          .option("dry-run", { type: "boolean", default: false, describe: "Only say what there is" })
          .option("including-waiting", {
            type: "boolean",
            default: false,
            describe: "Also what waits or is in doubt: nobody will answer it",
          })
          .option("yes", { type: "boolean", default: false, describe: "Nobody is asked" })
          .example("$0 forget +15550001000 --dry-run", "What there is of this customer"),
      asking((operator, args, output) => forgetCustomer(operator, args, output)),
    )
    .command("contract", "For those who write Hot Bags: a stand-in, and checks", contractCommands(environment, end))
    .command(
      "audit",
      "Who looked at what, and changed what",
      (options) =>
        common(options)
          .option("since", { type: "string", describe: "2h, 30m, 7d ago, or a time" })
          .option("limit", { type: "number", default: FEW, describe: "At most so many" })
          .check(({ limit }) => limitIsFine(limit)),
      asking((operator, args, output) => showAudit(operator, args, output)),
    )
    .command(
      "doctor",
      "Is everything set up? For each thing that is not: what to do",
      (options) =>
        common(options)
          .option("test-alert", { type: "boolean", default: false, describe: "Send an alert, for a test" })
          .example("$0 doctor --env-file /etc/hotbags/sidecar.env", "Before the first start")
          .example("$0 doctor --test-alert", "Does an alert reach me?")
          .epilogue("Nothing is changed, and nothing is created at Hot Bags. Exit code 1: something is wrong."),
      async ({ json, stateDir, envFile, testAlert }) => {
        // As for serve: it needs most of the sidecar.
        const { doctor } = await import("./doctor.ts");
        const options = { environment, envFile, stateDir, testAlert };
        end(await doctor(options, { json, out: process.stdout, err: process.stderr }));
      },
    )
    .command(
      "relink [account]",
      "Link a WhatsApp account again that the phone has logged out",
      (options) =>
        common(options)
          .positional("account", { type: "string", describe: "Its name in OpenClaw; default: the one that needs it" })
          .option("qr", {
            type: "boolean",
            default: false,
            describe: "Show the code here. Who sees it can read the account's messages",
          })
          .option("for", { type: "string", default: "10m", describe: "How long to wait for the phone" })
          .example("$0 relink --qr", "Show the code in this terminal, and wait until it is scanned"),
      asking(async (operator, args, output) => {
        const { relink } = await import("./relink.ts");
        return relink(operator, args, output);
      }),
    )
    .command(
      "pair-check",
      "Follow a message from a phone to Hot Bags and back, such as after an upgrade",
      (options) =>
        common(options)
          .option("from", { type: "string", describe: "The number that writes; default: the first that does" })
          .option("for", { type: "string", default: "5m", describe: "How long to wait for it" })
          .example("$0 pair-check --from +15550001000", "Write from this phone, and see what becomes of it"),
      asking(async (operator, args, output) => {
        const { pairCheck } = await import("./pair-check.ts");
        return pairCheck(operator, args, output);
      }),
    )
    .command(
      "tail",
      "Follow what happens: messages that come in and are delivered, replies that are sent",
      (options) =>
        common(options)
          .option("chat", { type: "string", describe: "Only of a customer's number, or a group" })
          .example("$0 tail --chat +15550001000", "What becomes of this customer's messages")
          .example("$0 tail --json | jq -c 'select(.what == \"dead\")'", "Dead letters, as they come about"),
      aside(async (args, output) => (await import("./tail.ts")).tail(args, output)),
    )
    .command(
      "backup [file]",
      "Put all of the sidecar's state into one file, while it runs or not",
      (options) =>
        common(options)
          .positional("file", {
            type: "string",
            describe: "A file or a folder; by default a file named by the time, in this folder",
          })
          .option("force", { type: "boolean", default: false, describe: "A file that is there already is replaced" })
          .example("$0 backup /var/backups/hotbags", "A new file in that folder, which only its owner can read")
          .epilogue("docs/backup.md says what is in it, and what a restore of an older backup means."),
      aside(async (args, output) => (await import("./backup.ts")).makeBackup(args, output)),
    )
    .command(
      "restore <file>",
      "Put the state of a backup in the place of what is there. The sidecar must be stopped",
      (options) =>
        common(options)
          .positional("file", { type: "string", demandOption: true, describe: "What `hotbags backup` has made" })
          .option("check", { type: "boolean", default: false, describe: "Only check the file" })
          .option("force", {
            type: "boolean",
            default: false,
            describe: "Over a state that is there: that is kept, in a folder beside it",
          })
          .option("lost-until", {
            type: "string",
            describe: "When the sidecar whose state is lost ran last: 2h, 30m ago, or a time. By default until now",
          })
          .example("$0 restore hotbags-20260301T120000Z.tar --check", "Whether it can be restored")
          .example("$0 restore hotbags-20260301T120000Z.tar --lost-until 2026-03-01T14:30", "The machine died then")
          .epilogue(
            "What may have been sent since the backup is in doubt afterwards: hotbags commands list --state in_doubt",
          ),
      aside(async (args, output) => (await import("./backup.ts")).restoreBackup(args, output)),
    )
    .command(
      "version",
      "The version",
      () => {},
      () => void process.stdout.write(`${VERSION}\n`),
    )
    .completion(
      "completion",
      "Print what the shell in $SHELL, bash or zsh, needs to complete commands",
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
    .fail((message, error) => {
      if (error) throw error;
      const said = /Not enough non-option arguments/.test(message)
        ? "an argument is missing"
        : message.replace(/\n/g, " ");
      throw new CliError(EXIT.usage, `${said}; see hotbags --help`);
    });
}

/** What can stand behind `--state`, when that is what is to be completed. */
function statesFor(args: string[]): readonly string[] | undefined {
  if (args.at(-2) !== "--state") return undefined;
  if (args.includes("messages")) return MESSAGE_STATES;
  return args.includes("commands") ? COMMAND_STATES : undefined;
}

/** Of a list with commas, the last word. */
function completed(current: string, words: readonly string[]): string[] {
  const before = current.slice(0, current.lastIndexOf(",") + 1);
  return words.filter((word) => word.startsWith(current.slice(before.length))).map((word) => before + word);
}

function limitIsFine(limit: number): true {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new CliError(EXIT.usage, "--limit is a whole number from 1 on");
  return true;
}

/** Throws CliError. */
function resolutionOf(args: {
  sent?: boolean | undefined;
  resend?: boolean | undefined;
  discard?: boolean | undefined;
}): Resolution {
  const said = (["sent", "resend", "discard"] as const).filter((as) => args[as]);
  if (said.length !== 1 || !said[0])
    throw new CliError(
      EXIT.usage,
      "say one of --sent, --resend and --discard; hotbags commands show <id> explains them",
    );
  return said[0];
}
