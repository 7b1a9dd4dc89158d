import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Tests of many suites on one gateway: small files that take minutes. */
const LONG = new Set(["one-gateway.test.ts", "crash.test.ts"]);

/**
 * The order in which vitest starts files, for two side by side: the longest first, so that none is left over for the end. vitest knows how
 * long they took the last time; in a fresh clone it goes by their size, which says nothing of files that import their suites.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => LONG.has(basename(moduleId));
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}
