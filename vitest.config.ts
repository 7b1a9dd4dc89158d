import { availableParallelism, freemem } from "node:os";
import { defineConfig } from "vitest/config";
import { ON_POSTGRES } from "./test/fleet/on-postgres.ts";
import { LongestFirst } from "./test/setup/longest-first.ts";

/** What a gateway, its sidecar and the test beside it need, bytes: 1.8 GB were seen at most. */
const GATEWAY_BYTES = 2 * 1024 ** 3;

/**
 * Files with a gateway side by side. A start keeps one core busy for 20 s, so two share two cores well: three gain 5 %. One of them
 * may be two-gateways.test.ts, so there must be memory for one more. One file alone where it is short.
 */
const gatewaysAtOnce = Math.max(1, Math.min(2, availableParallelism(), Math.floor(freemem() / GATEWAY_BYTES) - 1));

/** vitest shuffles files only where no order is configured, and a configuration can't see what its command line asks for. */
const isShuffled = process.argv.some((argument) => argument.startsWith("--sequence.shuffle"));

export default defineConfig({
  test: {
    ...(isShuffled ? {} : { sequence: { sequencer: LongestFirst } }),
    // A missing example in docs/contract is an error everywhere, not only where CI is set; -u writes it.
    update: "none",
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{shared,contract,plugin,sidecar}/src/**/*.test.ts",
            "test/{bench,compat,whatsapp,hotbags,contract,openclaw,sidecar,console,fleet,model,setup}/**/*.test.ts",
          ],
          globalSetup: "test/setup/prepare-unit-tests.ts",
          // Half of the time they wait: for a disk, a process, a timer. vitest would leave a core of two without work.
          maxWorkers: availableParallelism() + 1,
          testTimeout: 20_000,
          // A hook that starts a sidecar waits for it as long as SidecarProcess does, and stops another before.
          hookTimeout: 45_000,
        },
      },
      {
        test: {
          // Files of the project above once more, with the store in PostgreSQL: what they show is promised there, too.
          name: "postgres",
          include: ON_POSTGRES,
          env: { HOTBAGS_TEST_ROOM: "PostgreSQL" },
          globalSetup: "test/fleet/serve-postgres.ts",
          setupFiles: ["test/fleet/shared-server.ts"],
          maxWorkers: availableParallelism() + 1,
          // A hundred attempts are as many transactions several times over.
          testTimeout: 240_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: "gateway",
          include: ["test/{e2e,crash,soak}/**/*.test.ts"],
          setupFiles: ["test/setup/count-gateways.ts"],
          maxWorkers: gatewaysAtOnce,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "patience",
          // What takes minutes of waiting for OpenClaw, and hardly any work: `npm test` runs it beside the project above.
          include: ["test/patience/**/*.test.ts"],
          setupFiles: ["test/setup/count-gateways.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
