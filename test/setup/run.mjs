// The way into every `npm run …`: works on any Node from 18 on, without a single package installed, and sets up what is missing.
// Plain JavaScript with Node's own modules only, because nothing else exists yet when it runs.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PNPM } from "./pnpm.mjs";
import { run, runSteps, say } from "./steps.mjs";
import { countTests, drawTimes } from "./times.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(ROOT, "node_modules", ".cache", "hotbags");
const STAMP = join(CACHE, "installed");
/** Where the test runs leave what their files took: test/setup/time-report.ts. */
const TIMES = join(CACHE, "times");
const HOTBAGS = join(ROOT, "sidecar", "dist", "cli.js");

const step = (title, program, ...args) => ({ title, program, args });
/** A step whose failure does not keep the others from being run. */
const check = (...it) => ({ ...step(...it), check: true });
/** `projects`: one, or several with a comma. `args` choose files by a part of their path, which most projects have none of. */
const vitest = (title, projects, args) => {
  const chosen = args.length > 0 ? ["--passWithNoTests", ...args] : [];
  const named = projects.split(",").flatMap((project) => ["--project", project]);
  return check(title, "vitest", "run", ...named, "--reporter=default", `--reporter=${REPORT}`, ...chosen);
};
const REPORT = "./test/setup/time-report.ts";

const BUILD = [
  step("build shared", "tsc", "-p", "shared"),
  step("build contract", "tsc", "-p", "contract"),
  step("check plugin", "tsc", "-p", "plugin"),
  step("build plugin", "node", "plugin/build.mjs"),
  step("check sidecar", "tsc", "-p", "sidecar"),
  step("check console", "tsc", "-p", "console"),
  step("build sidecar and console", "node", "sidecar/build.mjs"),
];

/** What each script runs, in order; a list of steps runs at once. `args` are those after `--`. */
const TASKS = {
  build: () => BUILD,
  package: () => [...BUILD, step("", "node", "test/setup/pack.mjs")],
  test: (args) => [
    ...BUILD,
    // Before those on the gateway, and not beside them: gateways that start need all cores.
    [
      vitest("run unit tests, some of them on PostgreSQL too", "unit,postgres", args),
      check("check format and lint beside them", "biome", "ci", "--error-on-warnings"),
      check("check types beside them", "tsc", "-p", "test"),
      check("look for dead code beside them", "knip"),
      check("check licences beside them", "node", "test/setup/check-licences.mjs"),
      check("install OpenClaw's WhatsApp plugin beside them", "node", "test/setup/prepare-gateway.ts"),
    ],
    // But these side by side: the patient ones take as long as OpenClaw's patience lasts, and use next to nothing.
    [
      vitest("run end-to-end tests on the real gateway", "gateway", args),
      vitest("run those that wait for minutes beside them; you see how they went at the end", "patience", args),
    ],
  ],
  "test:repeat": (args) => [...BUILD, step("", "node", "test/setup/repeat.ts", ...args)],
  "vm-test": (args) => [...BUILD, step("", "node", "test/vm/vm-test.ts", ...args)],
  soak: (args) => [...BUILD, step("", "node", "test/soak/soak.ts", ...args)],
  bench: (args) => [...BUILD, step("", "node", "test/bench/bench.ts", ...args)],
  "bench:console": (args) => [...BUILD, step("", "node", "test/bench/console.ts", ...args)],
  "bench:gateway": (args) => [...BUILD, step("", "node", "test/bench/gateway.ts", ...args)],
  "bench:memory": (args) => [...BUILD, step("", "node", "test/bench/memory.ts", ...args)],
  "bench:fleet": (args) => [...BUILD, step("", "node", "test/fleet/bench.ts", ...args)],
  compat: (args) => [...BUILD, step("", "node", "test/compat/compat.ts", ...args)],
  demo: (args) => [...BUILD, step("", "node", "test/demo/demo.ts", ...args)],
};

/** The versions that OpenClaw 2026.9.6 runs on. */
function isNodeFit(version) {
  const [major, minor] = version.split(".").map(Number);
  return (major === 24 && minor >= 16) || (major === 26 && minor >= 1) || major > 26;
}

/** Installs the packages unless this very set is installed already, so that a second run needs neither time nor network. */
async function install() {
  const wanted = createHash("sha256");
  for (const file of ["pnpm-lock.yaml", "pnpm-workspace.yaml"]) wanted.update(readFileSync(join(ROOT, file)));
  const digest = wanted.update(PNPM).digest("hex");
  if (existsSync(STAMP) && readFileSync(STAMP, "utf8") === digest) return;
  say("install packages (once; about 20 seconds)");
  // With the list of what it has once left out, pnpm would go on leaving that out.
  rmSync(join(ROOT, "node_modules", ".modules.yaml"), { force: true });
  // It asks before it begins anew, but not there.
  const env = { ...process.env, CI: "true" };
  await run("npx", ["--yes", PNPM, "install", "--frozen-lockfile"], { cwd: ROOT, quiet: true, env });
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

/**
 * The `hotbags` command as it was built here, on a fit Node, in the folder where it was called. It says and ends as it
 * does by itself, for scripts too: so nothing is installed or built before, and no word is added.
 */
async function hotbags(args) {
  if (!existsSync(HOTBAGS)) throw new Error("the hotbags command is not built yet: npm run build");
  const cwd = process.env.INIT_CWD ?? process.cwd();
  await run(findNode(), ["--", HOTBAGS, ...args], { cwd }).catch((error) => {
    if (error.exitCode === undefined) throw error;
    process.exitCode = error.exitCode;
  });
}

async function main([task, ...args]) {
  if (task === "hotbags") return hotbags(args);
  const steps = TASKS[task];
  if (!steps)
    throw new Error(`there is no task ${JSON.stringify(task)}; there are hotbags, ${Object.keys(TASKS).join(", ")}`);
  const startedAt = performance.now();
  await install();
  const installed = { title: "install packages", seconds: (performance.now() - startedAt) / 1_000 };
  const env = {
    ...process.env,
    PATH: [dirname(findNode()), join(ROOT, "node_modules", ".bin"), process.env.PATH].join(delimiter),
    HOTBAGS_TEST_TIMES: TIMES,
  };
  rmSync(TIMES, { recursive: true, force: true });
  const taken = await runSteps(steps(args), { cwd: ROOT, env });
  if (task === "test") process.stdout.write(drawTimes([installed, ...taken], TIMES));
  const failed = taken.filter(({ failure }) => failure !== undefined);
  if (task === "test" && args.length > 0 && countTests(TIMES) === 0)
    throw new Error(`no test was run: ${args.join(" ")} is in no test file's path`);
  if (failed.length > 0) throw new Error(failed.map(({ title, failure }) => `${title}: ${failure}`).join("\n"));
}

main(process.argv.slice(2)).catch((error) => {
  process.stderr.write(`\n${error.message}\n`);
  process.exitCode = error.exitCode ?? 1;
});
