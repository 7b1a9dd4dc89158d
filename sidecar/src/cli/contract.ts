import type { Argv } from "yargs";
import { readDatabase, readStateDir } from "../settings.ts";
import { connectOperator } from "./connect.ts";
import { CliError, EXIT } from "./exit-code.ts";
import type { Output } from "./output.ts";
import type { Recorded } from "./recorded-message.ts";

/** Where the mock listens unless told otherwise: beside the sidecar's own port. */
const MOCK_PORT = 18_799;

/** Later than this, an answer is too late for a customer who waits, ms. */
const SLOW_MS = 10_000;

/** `hotbags contract …`: for those who write Hot Bags. What each needs is loaded when it is run. */
export function contractCommands(environment: NodeJS.ProcessEnv, end: (code: number) => void) {
  const outputOf = (json: boolean): Output => ({ json, out: process.stdout, err: process.stderr });
  const common = <T>(options: Argv<T>) =>
    options
      .option("json", { type: "boolean", default: false, describe: "The answer as JSON, for scripts" })
      .option("env-file", {
        type: "string",
        requiresArg: true,
        describe: "A file of NAME=value lines, for what the environment does not set",
      });
  const ofBackend = <T>(options: Argv<T>) =>
    common(options).option("url", {
      type: "string",
      requiresArg: true,
      describe: "The backend, as HOTBAGS_BASE_URL has it: https, or http on this machine",
    });
  const ofState = <T>(options: Argv<T>) =>
    options.option("state-dir", {
      type: "string",
      requiresArg: true,
      defaultDescription: "BRIDGE_STATE_DIR, or ~/.local/state/hotbags-bridge",
      describe: "Where the sidecar keeps its state",
    });
  const recordedIn = (given: string | undefined, envFile: string | undefined): Recorded => {
    const stateDir = given ?? readStateDir(environment, envFile);
    return { stateDir, connect: () => connectOperator(stateDir, () => readDatabase(environment, envFile)) };
  };

  return (program: Argv) =>
    program
      .command(
        "mock",
        "Stand in for Hot Bags on this machine, by rules",
        (options) =>
          common(options)
            .option("port", {
              type: "number",
              requiresArg: true,
              default: MOCK_PORT,
              describe: "Where it listens, on 127.0.0.1",
            })
            .option("rules", { type: "string", requiresArg: true, describe: "A JSON file: what to answer, and faults" })
            .check(({ port }) => portIsFine(port))
            .epilogue(RULES),
        async ({ json, envFile, port, rules }) => {
          const { runMock } = await import("./contract-mock.ts");
          end(await runMock({ environment, envFile }, { port, rules }, outputOf(json)));
        },
      )
      .command(
        "check",
        "Find out whether a backend keeps the contract",
        (options) =>
          ofBackend(options)
            .option("slow-ms", {
              type: "number",
              requiresArg: true,
              default: SLOW_MS,
              describe: "An answer that comes later is too slow",
            })
            .option("junit", { type: "string", requiresArg: true, describe: "Write a JUnit report to this file" })
            .epilogue(CHECK),
        async ({ json, envFile, url, slowMs, junit }) => {
          slowIsFine(slowMs);
          const { checkBackend } = await import("./contract-check.ts");
          end(await checkBackend({ environment, envFile, url }, { slowMs, junit }, outputOf(json)));
        },
      )
      .command(
        "replay <what>",
        "Send one message to a backend, and see what would become of its answer",
        (options) =>
          ofState(ofBackend(options))
            .positional("what", {
              type: "string",
              demandOption: true,
              describe: "A message_id that the sidecar has, a file, or an example's name, such as voice",
            })
            .option("verbatim", {
              type: "boolean",
              default: false,
              describe: "As it is: with its own key and chat. Else as a new message of the test chat",
            })
            .epilogue(REPLAY),
        async ({ json, envFile, url, stateDir, what, verbatim }) => {
          const { replayMessage } = await import("./contract-replay.ts");
          const sources = { environment, envFile, url };
          end(await replayMessage(sources, { what, verbatim }, recordedIn(stateDir, envFile), outputOf(json)));
        },
      )
      .command(
        "record <id>",
        "Make an example of a message that the sidecar has: without words, numbers and files",
        (options) =>
          ofState(common(options))
            .positional("id", { type: "string", demandOption: true, describe: "Its number, or its message_id" })
            .option("out", { type: "string", requiresArg: true, describe: "Write it to this new file" }),
        async ({ json, envFile, stateDir, id, out }) => {
          const { recordMessage } = await import("./contract-replay.ts");
          end(await recordMessage({ id, out }, recordedIn(stateDir, envFile), outputOf(json)));
        },
      )
      .example("$0 contract replay voice --url http://127.0.0.1:3000", "What does my backend do with a voice message?")
      .example("$0 contract record 17 --out strange.json", "A message that fails, for the developer's tests")
      .example("$0 contract check --url http://127.0.0.1:3000", "Does my backend do what it should?")
      .example("$0 contract mock --rules rules.json", "Develop without the backend")
      .demandCommand(1, "say what to do: mock, check, replay or record");
}

function portIsFine(port: number): true {
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535)
    throw new CliError(EXIT.usage, "--port is a whole number from 1 to 65535");
  return true;
}

function slowIsFine(slowMs: number): void {
  if (!Number.isSafeInteger(slowMs) || slowMs < 1) throw new CliError(EXIT.usage, "--slow-ms is a whole number from 1");
}

const CHECK =
  "It sends messages of a made-up chat (+12025550143), marked as a test, and says at its end what it left behind. What the " +
  "backend answers is judged as the sidecar would, and sent to nobody. The settings are the sidecar's: HOTBAGS_BEARER_TOKEN, " +
  "HOTBAGS_INBOUND_PATH, HOTBAGS_REPORTS_PATH, HOTBAGS_EVENTS_PATH, HOTBAGS_HMAC_DISABLED, HOTBAGS_HMAC_SECRET, HOTBAGS_WEBHOOK_SECRET, the _PREVIOUS of each secret, " +
  "HOTBAGS_EXTRA_HEADERS, HOTBAGS_COMMANDS and HOTBAGS_TIMEOUT; the secrets also as NAME_FILE, never on the command line. Exit code 1: something does not hold.";

const REPLAY =
  "It is signed as the settings say: they are those of `hotbags contract check`, HOTBAGS_BEARER_TOKEN at least. Exit code 1: it was not " +
  "taken, or a command of the answer would not be run.";

const RULES = `Rules are a JSON list; the first that matches answers, and each one with a fault adds it:
  [{ "when": { "text": "price|cost" }, "reply": "It is 30 euros." },
   { "when": { "media": "image" }, "commands": [{ "type": "pause_chat", "for_seconds": 600 }] },
   { "fault": { "status": 503, "retryAfter": 2 }, "times": 3 },
   { "reply": ["You wrote: {text}", "Anything else?"] }]
when: text (a regular expression), chat_id, media (image, …, none). Faults: "drop", "hang", "truncate", "drop-after-processing", "hang-after-processing", "slow-body", "endless-body", {"delayMs": …}, {"status": …}, {"redirect": …}.
It takes HOTBAGS_BEARER_TOKEN and signed bodies where HOTBAGS_HMAC_DISABLED=false with HOTBAGS_HMAC_SECRET, or HOTBAGS_WEBHOOK_SECRET, say so; else any token. A file that is changed is read again. Without --rules it repeats what it hears.`;
