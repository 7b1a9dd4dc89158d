import { type ChildProcess, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, stripVTControlCharacters } from "node:util";

// `npm run test:repeat`: the same tests many times, in another order each time, to find those that fail now and then.

const USAGE = `npm run test:repeat -- [--times N] [--project unit|postgres|gateway|patience] [--load N] [--seed N] [filter ...]

Runs test files again and again, in a fresh order each time, and says what failed how often.

  --times N    how often (default 10)
  --project P  which tests: unit (default), postgres, gateway, patience
  --load N     with N processes beside them that keep a CPU busy (default 0)
  --seed N     of the first round's order; each later round takes the next number (default: a random one, printed)
  filter       parts of file names, as vitest takes them (default: all files)

Repeat one order:  npm run test:repeat -- --times 1 --seed <seed of the round> ...`;

const SEE_HELP = "see npm run test:repeat -- --help";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const VITEST = fileURLToPath(new URL("../../node_modules/vitest/vitest.mjs", import.meta.url));
/** The last of what vitest said, where it left no report. */
const SHOWN_CHARACTERS = 2_000;
/** Tests of these projects stand alone, each. */
const ALONE = new Set(["unit", "postgres"]);
/** Files of these projects tell a story each, test by test: only the order of the files changes. */
const STORIES = new Set(["gateway", "patience"]);

interface Plan {
  times: number;
  project: string;
  load: number;
  seed: number;
  filters: string[];
}

/** The part of vitest's JSON report that is read here. */
interface Report {
  numPassedTests: number;
  testResults: {
    name: string;
    message: string;
    assertionResults: { fullName: string; status: string; failureMessages: string[] }[];
  }[];
}

/** One failing test, over all rounds. */
interface Failure {
  seeds: number[];
  /** What it said the first time. */
  message: string;
}

function parseOptions(args: string[]) {
  const options = {
    times: { type: "string", default: "10" },
    project: { type: "string", default: "unit" },
    load: { type: "string", default: "0" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
  } as const;
  try {
    return parseArgs({ args, allowPositionals: true, options });
  } catch (error) {
    // "Unknown option '--x'. To specify a positional argument …": the rest is for whoever writes the program.
    throw new Error(`${(error as Error).message.split(". ")[0]}; ${SEE_HELP}`);
  }
}

function readPlan(args: string[]): Plan {
  const { values, positionals } = parseOptions(args);
  const bare = positionals.find((filter) => /^\d+$/.test(filter));
  if (bare !== undefined)
    throw new Error(`${bare} is no part of a file's name. npm keeps options unless -- stands before them; ${SEE_HELP}`);
  const count = (name: "times" | "load" | "seed", least: number) => {
    const value = Number(values[name]);
    if (!Number.isSafeInteger(value) || value < least)
      throw new Error(`--${name} takes a whole number from ${least} on, not ${JSON.stringify(values[name])}`);
    return value;
  };
  if (!ALONE.has(values.project) && !STORIES.has(values.project))
    throw new Error(`--project is unit, postgres, gateway or patience, not ${JSON.stringify(values.project)}`);
  const { project } = values;
  return { times: count("times", 1), project, load: count("load", 0), seed: count("seed", 0), filters: positionals };
}

/**
 * One whole run in the order of this seed, and what went wrong in it. @throws Error with what vitest said, if it left no report.
 */
async function runOnce({ project, filters }: Plan, seed: number, folder: string) {
  const file = join(folder, `${seed}.json`);
  const order = ["--sequence.shuffle.files", ...(STORIES.has(project) ? [] : ["--sequence.shuffle.tests"])];
  // The report does not have what was thrown outside of every test, such as a rejection that nobody waits for; dot says it.
  const reports = ["--reporter=json", `--outputFile.json=${file}`, "--reporter=dot"];
  const args = [VITEST, "run", "--project", project, ...order, `--sequence.seed=${seed}`, ...reports, ...filters];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const code = await ended(child);
  let report: Report;
  try {
    report = JSON.parse(readFileSync(file, "utf8"));
  } catch {
    const last = stripVTControlCharacters(output).trim().slice(-SHOWN_CHARACTERS);
    throw new Error(`vitest ended with ${code} and left no report: ${last}`);
  }
  const failed = [...failuresOf(report)];
  if (code !== 0 && failed.length === 0 && report.numPassedTests > 0)
    failed.push({ name: "outside of every test", message: unhandledIn(output) });
  return { passed: report.numPassedTests, failed };
}

function unhandledIn(output: string): string {
  const lines = stripVTControlCharacters(output)
    .split("\n")
    .map((line) => line.trim());
  const start = lines.findIndex((line) => line.includes("Unhandled Error"));
  return lines
    .slice(Math.max(0, start))
    .filter((line) => /\w/.test(line))
    .join("\n");
}

function* failuresOf(report: Report): Generator<{ name: string; message: string }> {
  for (const { name, message, assertionResults } of report.testResults) {
    const file = relative(ROOT, name);
    const failed = assertionResults.filter(({ status }) => status === "failed");
    for (const { fullName, failureMessages } of failed)
      yield { name: `${file} > ${fullName}`, message: failureMessages[0] ?? "" };
    // What fails outside of a test, as a file that can't be loaded, or a hook.
    if (failed.length === 0 && message) yield { name: file, message };
  }
}

function ended(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(signal ?? code));
  });
}

function startLoad(count: number): () => Promise<void> {
  const script =
    "process.on('disconnect', () => process.exit()); setImmediate(function spin() { setImmediate(spin); });";
  const children = Array.from({ length: count }, () =>
    // The channel ends them with this process, however it ends.
    spawn(process.execPath, ["-e", script], { stdio: ["ignore", "ignore", "ignore", "ipc"] }),
  );
  return async () => {
    const ends = children.map(ended);
    for (const child of children) child.kill();
    await Promise.all(ends);
  };
}

function drawTable(failures: Map<string, Failure>, plan: Plan): string {
  const worst = [...failures].sort(([, a], [, b]) => b.seeds.length - a.seeds.length);
  const rows = worst.map(([name, { seeds }]) => `  ${`${seeds.length} of ${plan.times}`.padStart(9)}  ${name}`);
  const details = worst.map(([name, { seeds, message }]) => {
    const lines = message
      .split("\n")
      // The stack only repeats where the test is.
      .filter((line) => !/^\s+at /.test(line))
      .slice(0, 6)
      .map((line) => line.slice(0, 200));
    return `\n${name}\n  seeds ${seeds.join(", ")}\n${lines.map((line) => `  | ${line}`).join("\n")}`;
  });
  return ["     failed  test", ...rows, ...details].join("\n");
}

async function repeat(plan: Plan): Promise<boolean> {
  const { times, project, load, seed, filters } = plan;
  const what = filters.length > 0 ? `${project} files named ${filters.join(", ")}` : `all ${project} files`;
  console.log(`${what}, ${times} times, ${load} busy processes beside them, seed ${seed}`);
  const failures = new Map<string, Failure>();
  const folder = mkdtempSync(join(tmpdir(), "hotbags-repeat-"));
  const stopLoad = startLoad(load);
  try {
    for (let round = 0; round < times; round++) {
      const startedAt = performance.now();
      const { passed, failed } = await runOnce(plan, seed + round, folder);
      for (const { name, message } of failed) {
        const known = failures.get(name) ?? { seeds: [], message };
        known.seeds.push(seed + round);
        failures.set(name, known);
      }
      const seconds = ((performance.now() - startedAt) / 1_000).toFixed(0);
      const result = `${passed} passed, ${failed.length} failed`;
      console.log(`  ${round + 1} of ${times}: ${result}, ${seconds} s, seed ${seed + round}`);
      for (const { name } of failed) console.log(`      ✗ ${name}`);
      if (passed === 0 && failed.length === 0) throw new Error(`no test was run: is there ${what}?`);
    }
  } finally {
    await stopLoad();
    rmSync(folder, { recursive: true, force: true });
  }
  if (failures.size === 0) console.log(`\nAll green, ${times} of ${times} times.`);
  else console.log(`\n${drawTable(failures, plan)}`);
  return failures.size === 0;
}

if (process.argv.includes("--help")) console.log(USAGE);
else
  try {
    process.exitCode = (await repeat(readPlan(process.argv.slice(2)))) ? 0 : 1;
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
  }
