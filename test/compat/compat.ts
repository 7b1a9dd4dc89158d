import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, stripVTControlCharacters } from "node:util";
import { TESTED } from "../../shared/src/index.ts";
import { CACHE, OUR_PLUGIN, SUBJECT_FILE, type Subject } from "../openclaw/places.ts";
import { FACTS } from "./facts.ts";
import { judge, type Result, type Verdict } from "./judge.ts";

const USAGE = `npm run compat -- --openclaw VERSION [--whatsapp VERSION] [--without SETTING ...] [--only SUITE]

Does the bridge work on another OpenClaw, and what of docs/limits.md is another way there? Installs that version into a folder of
its own, runs the end-to-end tests on it (for as long as in npm test), and says of each fact whether it held. The pinned one (${TESTED.openclaw}) stays as
it is.

  --openclaw V   a version that npm's registry has
  --whatsapp V   of its WhatsApp plugin (default: the same)
  --without S    a setting of openclaw.json.example that it does not know, such as session.notifyOnCreate; can be repeated
  --only SUITE   only a suite on the shared gateway, by its name there (drops, accounts, …), or a part of a file's name
                 (silence, given-up, …)

Exit code: 0 all that was run passed, 1 something is another way, 2 the command line is wrong, 3 it could not be installed or run.
`;

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VITEST = join(ROOT, "node_modules", "vitest", "vitest.mjs");
const ONE_GATEWAY = fileURLToPath(new URL("../e2e/one-gateway/one-gateway.test.ts", import.meta.url));
const VERSION = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

/** Of a failure that is no fact's. */
const SHOWN_LINES = 12;

interface Plan extends Subject {
  only: string | undefined;
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  testResults: {
    name: string;
    message: string;
    assertionResults: { fullName: string; status: Result["status"]; failureMessages: string[] }[];
  }[];
}

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** Null: help was asked for. @throws Error where the command line is wrong. */
function readPlan(): Plan | null {
  const { values } = parseArgs({
    options: {
      openclaw: { type: "string" },
      whatsapp: { type: "string" },
      without: { type: "string", multiple: true, default: [] },
      only: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return null;
  const { openclaw, without, only } = values;
  if (openclaw === undefined) throw new Error("--openclaw is missing");
  const whatsapp = values.whatsapp ?? openclaw;
  for (const version of [openclaw, whatsapp])
    if (!VERSION.test(version)) throw new Error(`${version} is no version such as ${TESTED.openclaw}`);
  return { openclaw, whatsapp, without, only };
}

/** Runs a program whose output is seen. Resolves with its exit code. */
async function run(program: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  const child = spawn(program, args, { cwd: ROOT, env, stdio: "inherit" });
  // Ctrl-C reaches it as well, and it ends in its own way.
  const wait = () => {};
  process.on("SIGINT", wait);
  const [code] = await once(child, "exit");
  process.off("SIGINT", wait);
  return code ?? 1;
}

/** Resolves with the folder that has these versions, and a copy of our plugin as it was built. @throws Error */
async function install({ openclaw, whatsapp, without }: Plan): Promise<string> {
  const folder = join(CACHE, "compat", `${openclaw}+${whatsapp}`);
  mkdirSync(folder, { recursive: true });
  const installed = join(folder, "node_modules", "openclaw", "package.json");
  if (!existsSync(installed) || JSON.parse(readFileSync(installed, "utf8")).version !== openclaw) {
    say(`· install OpenClaw ${openclaw} into ${relative(ROOT, folder)} (once; about a minute)`);
    writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
    const quiet = ["--no-fund", "--no-audit", "--no-update-notifier", "--loglevel=error"];
    // Nothing of it needs its install scripts here, as in systemd/install.sh.
    const args = ["install", "--prefix", folder, "--ignore-scripts", ...quiet, `openclaw@${openclaw}`];
    if ((await run("npm", args)) !== 0) throw new Error(`OpenClaw ${openclaw} can't be installed: npm says why above`);
  }
  const subject: Subject = { openclaw, whatsapp, without };
  writeFileSync(join(folder, SUBJECT_FILE), JSON.stringify(subject));
  const plugin = join(folder, "plugin");
  rmSync(plugin, { recursive: true, force: true });
  for (const name of ["dist", "openclaw.plugin.json"])
    cpSync(join(OUR_PLUGIN, name), join(plugin, name), { recursive: true });
  // As it would be built for it: an older one refuses a plugin that asks for a newer.
  const manifest = JSON.parse(readFileSync(join(OUR_PLUGIN, "package.json"), "utf8"));
  manifest.openclaw.compat.pluginApi = `>=${openclaw}`;
  writeFileSync(join(plugin, "package.json"), JSON.stringify(manifest));
  return folder;
}

/** Runs the tests, all or those that are asked for. Resolves with what came of each. @throws Error where none was run. */
async function runTests(folder: string, only: string | undefined): Promise<Result[]> {
  const report = join(folder, "report.json");
  rmSync(report, { force: true });
  const suites = [...readFileSync(ONE_GATEWAY, "utf8").matchAll(/^describe\("([^"]+)"/gm)].map(([, name]) => name);
  const chosen = only === undefined ? [] : suites.includes(only) ? ["one-gateway", "-t", `^ ?${only} `] : [only];
  say(`· run ${only === undefined ? "all end-to-end tests" : `the tests ${only}`} on it`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = ["run", "--project", "gateway", "--project", "patience", ...reporters, ...chosen];
  const env = { ...process.env, HOTBAGS_COMPAT: folder };
  const PATH = [dirname(process.execPath), process.env["PATH"]].join(":");
  await run(process.execPath, [VITEST, ...args], { ...env, PATH });
  if (!existsSync(report)) throw new Error("the tests were not run: vitest says why above");
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as Report;
  const results = testResults.flatMap(({ name, message, assertionResults }) => {
    const tests = assertionResults.map(({ fullName, status, failureMessages }): Result => {
      return { name: fullName, status, message: failureMessages.join("\n") };
    });
    // What stands before its tests has failed: none of them says so.
    const isBroken = message !== "" && !tests.some(({ status }) => status === "failed");
    return isBroken ? [...tests, { name: relative(ROOT, name), status: "failed" as const, message }] : tests;
  });
  if (!results.some(({ status }) => status !== "skipped" && status !== "pending"))
    throw new Error(`no test was run: ${only} is no suite, and in no file's name`);
  return results;
}

function draw(verdicts: readonly Verdict[], results: readonly Result[], { openclaw, whatsapp }: Plan): void {
  say(`\nOpenClaw ${openclaw} with @openclaw/whatsapp ${whatsapp}, against docs/limits.md (${TESTED.openclaw}):\n`);
  for (const { said, verdict, why } of verdicts)
    say(`  ${verdict.padEnd(8)} ${said.replaceAll("**", "")}${why === null ? "" : `\n           ${why}`}`);
  const ofFacts = FACTS.flatMap(({ tests }) => tests);
  const failed = results.filter(({ status }) => status === "failed");
  const others = failed.filter(({ name }) => !ofFacts.some((fact) => name.includes(fact)));
  if (others.length > 0) say("\nBesides, these tests failed:\n");
  for (const { name, message } of others) say(`  ${name}\n${excerptOf(message)}`);
  const count = (verdict: Verdict["verdict"]) => verdicts.filter((one) => one.verdict === verdict).length;
  const passed = results.filter(({ status }) => status === "passed").length;
  say(`\n${count("held")} facts held, ${count("changed")} changed, ${count("not run")} not run.`);
  say(`${passed} tests passed, ${failed.length} failed.`);
}

/** Without the stack, and no more than tells what it was. */
function excerptOf(message: string): string {
  const lines = stripVTControlCharacters(message).split("\n");
  const told = lines.filter((line) => line.trim() !== "" && !/^\s*at /.test(line)).slice(0, SHOWN_LINES);
  return told.map((line) => `           ${line}`).join("\n");
}

async function main(): Promise<number> {
  let plan: Plan | null;
  try {
    plan = readPlan();
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (plan === null) {
    process.stdout.write(USAGE);
    return 0;
  }
  try {
    const results = await runTests(await install(plan), plan.only);
    draw(judge(FACTS, results), results, plan);
    return results.some(({ status }) => status === "failed") ? 1 : 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 3;
  }
}

process.exitCode = await main();
