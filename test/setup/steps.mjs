// Runs the steps of an `npm run …` one after the other or side by side, and tells at the end what they took.
// Plain JavaScript with Node's own modules only: it also runs what installs the packages.
import { spawn } from "node:child_process";
import { once } from "node:events";

/**
 * @typedef {object} Step One program of a task.
 * @property {string} title What it does, in a few words; "" for what needs no announcement.
 * @property {string} program
 * @property {string[]} args
 * @property {boolean} [check] Others run also where it fails, and the task fails at its end. Default: a failure ends the task at once.
 */

/** @typedef {{title: string, seconds: number, failure?: string}} Taken */

/** Somebody wants this to end: no further step is begun, not even after a check. */
let interrupted = false;

/**
 * Runs a program; resolves when it ended well. Its output is shown as it comes; with `quiet` it is what this resolves with, or part of
 * the error.
 */
export async function run(program, args, { cwd, env = process.env, quiet = false } = {}) {
  const child = spawn(program, args, { cwd, env, stdio: quiet ? ["ignore", "pipe", "pipe"] : "inherit" });
  let output = "";
  child.stdout?.on("data", (chunk) => (output += chunk));
  child.stderr?.on("data", (chunk) => (output += chunk));
  // Ctrl-C reaches the whole group; the child cleans up and decides how this ends.
  const note = () => {
    interrupted = true;
  };
  const forward = () => {
    interrupted = true;
    child.kill("SIGTERM");
  };
  process.on("SIGINT", note);
  process.on("SIGTERM", forward);
  try {
    const [code, signal] = await once(child, "close");
    if (code === 0) return output;
    const failure = `${output}${[program, ...args].join(" ")} ended with ${signal ?? `code ${code}`}`;
    throw Object.assign(new Error(failure), { exitCode: code ?? 1 });
  } finally {
    process.off("SIGINT", note);
    process.off("SIGTERM", forward);
  }
}

/**
 * Runs steps in order; a list among them runs side by side: its first one is seen as it goes, the others at their end.
 *
 * @param {(Step | Step[])[]} steps
 * @param {object} options For `run`: `cwd`, `env`.
 * @returns {Promise<Taken[]>} What was run, with the failures of checks.
 * @throws Error as soon as a step fails that is no check.
 */
export async function runSteps(steps, options) {
  const taken = [];
  for (const step of steps) {
    if (Array.isArray(step)) taken.push(...(await runTogether(step, options)));
    else taken.push(await runStep(step, options));
  }
  return taken;
}

async function runTogether([shown, ...others], options) {
  const quietly = others.map(async (step) => {
    const one = await runStep(step, { ...options, quiet: true });
    process.stdout.write(one.output);
    return one;
  });
  return Promise.all([runStep(shown, options), ...quietly]);
}

async function runStep({ title, program, args, check = false }, options) {
  if (title) say(title);
  const startedAt = performance.now();
  const end = (rest) => ({ title, seconds: (performance.now() - startedAt) / 1_000, ...rest });
  try {
    return end({ output: await run(program, args, options) });
  } catch (error) {
    if (!check || interrupted) throw error;
    return end({ output: options.quiet ? error.message : "", failure: error.message.split("\n").at(-1) });
  }
}

export function say(text) {
  process.stdout.write(`· ${text}\n`);
}
