import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Tests on a real gateway take minutes each, whatever their size. The longest first, as seen in the table at the end of a run. */
const LONGEST = [
  "crash.test.ts",
  "one-gateway.test.ts",
  "silence.test.ts",
  "silence-without-plugin.test.ts",
  "two-gateways.test.ts",
  "downtime.test.ts",
];

/**
 * The order in which vitest starts files, for two side by side: the longest first, so that none is left over for the
 * end. vitest itself goes by the files' size in a fresh clone, where it knows no durations.
 */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONGEST.indexOf(basename(moduleId));
      return place === -1 ? LONGEST.length : place;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
