import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Reporter, TestModule } from "vitest/node";

/** Where the file of one run goes; `npm test` names a folder, and draws its table from all that is in it. */
const FOLDER = process.env["HOTBAGS_TEST_TIMES"];

/** Leaves what each test file took, for the table at the end of `npm test`. */
export default class TimeReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    if (FOLDER === undefined) return;
    mkdirSync(FOLDER, { recursive: true });
    const [{ project } = {}] = modules;
    writeFileSync(join(FOLDER, `${project?.name}.json`), JSON.stringify(modules.map(timesOf)));
  }
}

function timesOf(module: TestModule) {
  const { collectDuration, setupDuration, duration } = module.diagnostic();
  const count = (state: "passed" | "failed" | "skipped") => [...module.children.allTests(state)].length;
  return {
    project: module.project.name,
    file: module.relativeModuleId,
    seconds: (collectDuration + setupDuration + duration) / 1_000,
    gatewayStarts: module.meta().gatewayStarts ?? 0,
    passed: count("passed"),
    // A file can fail as a whole: it does not load, or a hook throws.
    failed: Math.max(count("failed"), module.ok() ? 0 : 1),
    skipped: count("skipped"),
  };
}
