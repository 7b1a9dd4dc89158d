// What a run of `npm test` took, and where: so that a test which has become slow is seen by whoever made it so.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Files that took less than this, s, are summed up in one line. */
const NAMED_FROM_SECONDS = 5;

/**
 * The table at the end: each stage, the files that took longest, and how often they started a gateway. Its last line, `N passed, N
 * failed`, counts tests, and each stage that is no test as one.
 *
 * @param {import("./steps.mjs").Taken[]} stages
 * @param {string} folder Where test/setup/time-report.ts left its files.
 */
export function drawTimes(stages, folder) {
  const files = readTimes(folder);
  const rows = stages.map(({ title, seconds, failure }) => row(seconds, "", failure ? `${title}   ✗ failed` : title));
  const table = [row("seconds", "gateways", "stage"), ...rows];
  for (const project of new Set(files.map((file) => file.project))) {
    const own = files.filter((file) => file.project === project).toSorted((a, b) => b.seconds - a.seconds);
    const named = own.filter(({ seconds, failed }) => seconds >= NAMED_FROM_SECONDS || failed > 0);
    table.push("", row("seconds", "gateways", `files of ${project}`));
    for (const { seconds, gatewayStarts, file, failed } of named)
      table.push(row(seconds, gatewayStarts || "", failed > 0 ? `${file}   ✗ ${failed} failed` : file));
    const rest = own.slice(named.length);
    if (rest.length > 0) table.push(row(sum(rest, "seconds"), "", `${rest.length} more, each under 5 s`));
    table.push(row(sum(own, "seconds"), sum(own, "gatewayStarts") || "", "in all"));
  }
  const total = { passed: sum(files, "passed"), failed: sum(files, "failed"), skipped: sum(files, "skipped") };
  const notRun = stages.filter(({ failure }) => failure !== undefined).length;
  // A stage that failed without a failing test counts too.
  if (total.failed === 0) total.failed = notRun;
  const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  return `\n${table.join("\n")}\n\n${total.passed} passed, ${total.failed} failed${skipped}\n`;
}

/** How many tests were run, or passed over. */
export function countTests(folder) {
  return readTimes(folder).reduce((total, { passed, failed, skipped }) => total + passed + failed + skipped, 0);
}

function readTimes(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).flatMap((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
}

const sum = (files, what) => files.reduce((total, file) => total + file[what], 0);

function row(seconds, gateways, text) {
  const shown = typeof seconds === "number" ? seconds.toFixed(0) : seconds;
  return `${shown.padStart(9)}  ${String(gateways).padStart(8)}  ${text}`;
}
