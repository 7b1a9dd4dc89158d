import type { Argv } from "yargs";
import { CliError, EXIT } from "./exit-code.ts";
import type { Output } from "./output.ts";

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

  return (program: Argv) =>
    program
      .command(
        "mock",
        "Stand in for Hot Bags on this machine, by rules",
        (options) =>
          common(options)
            .option("port", { type: "number", default: MOCK_PORT, describe: "Where it listens, on 127.0.0.1" })
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
            .option("slow-ms", { type: "number", default: SLOW_MS, describe: "An answer that comes later is too slow" })
            .option("junit", { type: "string", requiresArg: true, describe: "Write a JUnit report to this file" })
            .epilogue(CHECK),
        async ({ json, envFile, url, slowMs, junit }) => {
          slowIsFine(slowMs);
          const { checkBackend } = await import("./contract-check.ts");
          end(await checkBackend({ environment, envFile, url }, { slowMs, junit }, outputOf(json)));
        },
      )
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

const CHECK = `It sends messages of a made-up chat (+12025550143), marked as a test, and says at its end what it left behind. What the
backend answers is judged as the sidecar would, and sent to nobody. The settings are the sidecar's: HOTBAGS_BEARER_TOKEN,
HOTBAGS_INBOUND_PATH, HOTBAGS_HMAC_DISABLED, HOTBAGS_HMAC_SECRET, HOTBAGS_EXTRA_HEADERS and HOTBAGS_TIMEOUT; the secrets
also as NAME_FILE, never on the command line. Exit code 1: something does not hold.`;

const RULES = `Rules are a JSON list; the first that matches answers, and each one with a fault adds it:
  [{ "when": { "text": "price|cost" }, "reply": "It is 30 euros." },
   { "when": { "media": "image" }, "commands": [{ "type": "pause_chat", "for_seconds": 600 }] },
   { "fault": { "status": 503, "retryAfter": 2 }, "times": 3 },
   { "reply": ["You wrote: {text}", "Anything else?"] }]
when: text (a regular expression), chat_id, media (image, …, none). Faults: "drop", "hang", "truncate",
"drop-after-processing", "hang-after-processing", "slow-body", "endless-body", {"delayMs": …}, {"status": …}, {"redirect": …}.
Without --rules it repeats what it hears.`;
