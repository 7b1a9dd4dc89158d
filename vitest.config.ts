import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // A missing example in docs/contract is an error everywhere, not only where CI is set; -u writes it.
    update: "none",
    projects: [
      {
        test: {
          name: "unit",
          include: [
            "{shared,plugin,sidecar}/src/**/*.test.ts",
            "test/{whatsapp,hotbags,openclaw,sidecar,model,setup}/**/*.test.ts",
          ],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: "gateway",
          include: ["test/{e2e,crash,soak}/**/*.test.ts"],
          // A gateway takes two thirds of this machine's memory and a core while it starts: one at a time.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: "patience",
          // What takes minutes of waiting for OpenClaw, and hardly any work: `npm test` runs it beside the project above.
          include: ["test/patience/**/*.test.ts"],
          fileParallelism: false,
          hookTimeout: 180_000,
        },
      },
    ],
  },
});
