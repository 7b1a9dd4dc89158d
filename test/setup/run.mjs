// The way into every `npm run …`: works on any Node from 18 on, without a single package installed, and sets up what is missing.
// Plain JavaScript with Node's own modules only, because nothing else exists yet when it runs.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Not in package.json's `packageManager`: pnpm would look that up at the registry in every run. */
const PNPM = "pnpm@12.21.0";
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, "node_modules", ".cache", "hotbags");
const STAMP = join(CACHE, "installed");

/** What each script runs, in order; a step that fails ends it. A list of steps runs at once. `args` are those after `--`. */
const TASKS = {
  build: () => BUILD,
  package: () => {
    mkdirSync(join(ROOT, PACKAGES), { recursive: true });
    return [...BUILD, ["pack the plugin", "npm", ["pack", "./plugin", "--pack-destination", PACKAGES]]];
  },
  test: (args) => [
    ...BUILD,
    ["check format and lint", "biome", ["ci", "--error-on-warnings"]],
    ["check types", "tsc", ["-p", "test"]],
    ["look for dead code", "knip", []],
    // One after the other: a gateway that starts needs both cores.
    ["run unit tests", ...vitest("unit", args)],
    // But these side by side: the patient ones take as long as OpenClaw's patience lasts, and use next to nothing.
    [
      ["run end-to-end tests on the real gateway", ...vitest("gateway", args)],
      ["run those that wait for minutes beside them; you see how they went at the end", ...vitest("patience", args)],
    ],
  ],
  "test:repeat": (args) => [...BUILD, ["", "node", ["test/setup/repeat.ts", ...args]]],
  soak: (args) => [...BUILD, ["", "node", ["test/soak/soak.ts", ...args]]],
  bench: (args) => [...BUILD, ["", "node", ["test/bench/bench.ts", ...args]]],
  demo: (args) => [...BUILD, ["", "node", ["test/demo/demo.ts", ...args]]],
};
const vitest = (project, args) => ["vitest", ["run", "--project", project, "--passWithNoTests", ...args]];
const BUILD = [
  ["build shared", "tsc", ["-p", "shared"]],
  ["check plugin", "tsc", ["-p", "plugin"]],
  ["build plugin", "node", ["plugin/build.mjs"]],
  ["build sidecar", "tsc", ["-p", "sidecar"]],
];
/** Where `npm run package` puts what an operator installs. */
const PACKAGES = "dist";

/** The versions that OpenClaw 2026.9.6 runs on. */
function isNodeFit(version) {
  const [major, minor] = version.split(".").map(Number);
  return (major === 24 && minor >= 16) || (major === 26 && minor >= 1) || major > 26;
}

/** Runs a program; resolves when it ended well. Its output is shown as it comes; with `quiet` it is what this resolves with, or part of the error. */
function run(program, args, { env = process.env, quiet = false } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, env, stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit" });
    let output = "";
    child.stdout?.on("data", (chunk) => (output += chunk));
    child.stderr?.on("data", (chunk) => (output += chunk));
    // Ctrl-C reaches the whole group; the child cleans up and decides how this ends.
    const ignore = () => {};
    const forward = () => child.kill("SIGTERM");
    process.on("SIGINT", ignore);
    process.on("SIGTERM", forward);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
      if (code === 0) return resolve(output);
      reject(new Error(`${output}${[program, ...args].join(" ")} ended with ${signal ?? `code ${code}`}`));
    });
  });
}

/** Runs steps side by side: the first one is seen as it goes, the others at the end. All run to their end, also where one fails. */
async function runAtOnce([shown, ...others], run) {
  const ends = await Promise.allSettled([run(shown), ...others.map((step) => run(step, { quiet: true }))]);
  for (const { value } of ends) if (value) process.stdout.write(value);
  const failed = ends.filter(({ status }) => status === "rejected").map(({ reason }) => reason.message);
  if (failed.length > 0) throw new Error(failed.join("\n"));
}

/** Installs the packages unless this very set is installed already, so that a second run needs neither time nor network. */
async function install() {
  const wanted = createHash("sha256");
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml"]) wanted.update(readFileSync(join(ROOT, file)));
  const digest = wanted.update(PNPM).digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === digest) return;
  say("install packages (once; about 20 seconds)");
  await run("npx", ["--yes", PNPM, "install", "--frozen-lockfile"], { quiet: true });
  mkdirSync(CACHE, { recursive: true });
  writeFileSync(STAMP, digest);
}

/** The Node to run with: this one if it is fit, else the one that came with the packages. */
function findNode() {
  if (isNodeFit(process.versions.node)) return process.execPath;
  const packaged = join(ROOT, "node_modules", `node-${process.platform}-${process.arch}`, "bin", "node");
  if (existsSync(packaged)) return packaged;
  throw new Error(
    `this needs Node 24.16 or newer (24.x), or 26.1 or newer; this is ${process.version}, and there is no packaged one for ${process.platform} ${process.arch}.`,
  );
}

function say(text) {
  process.stdout.write(`· ${text}\n`);
}

async function main([task, ...args]) {
  const steps = TASKS[task];
  if (!steps) throw new Error(`there is no task ${JSON.stringify(task)}; there are ${Object.keys(TASKS).join(", ")}`);
  await install();
  const node = findNode();
  const env = {
    ...process.env,
    PATH: [dirname(node), join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter),
  };
  const runStep = ([title, program, programArgs], options) => {
    if (title) say(title);
    return run(program === "node" ? node : program, programArgs, { env, ...options });
  };
  for (const step of steps(args)) await (Array.isArray(step[0]) ? runAtOnce(step, runStep) : runStep(step));
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = 1;
});
