// Bundles the sidecar into a few files: of 460 modules, to find and link each one would be most of what a start takes. What nobody
// runs at a start (a sub-command, the contract's mock) is a file of its own in chunks/.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildConsole } from "@hotbags/console/build";
import { build } from "esbuild";

/** What the scripts of systemd/ import. */
const FOR_UNITS = ["alerts/channels", "alerts/direct", "alerts/unit-failure", "alerts/webhook-formats"].concat(
  ["last-backup", "plugin-folder"].map((name) => `checks/${name}`),
);

const SIDECAR = fileURLToPath(new URL(".", import.meta.url));

/** What is loaded at each start is kept small: 10 MB of the memory of an idle sidecar (docs/performance.md). */
const SMALL = {
  name: "small",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^undici$/ }, () => ({ path: join(SIDECAR, "undici-parts.mjs") }));
    // An `import` of node:http asks for all that it has, and Node loads its own undici for the WebSocket in it. A `require` does not.
    onResolve({ filter: /^(node:)?http$/ }, ({ kind }) =>
      kind === "import-statement" ? { path: "http", namespace: "by-require" } : undefined,
    );
    onLoad({ filter: /.*/, namespace: "by-require" }, ({ path }) => ({
      contents: `module.exports = require("node:${path}");`,
    }));
  },
};

await rm(join(SIDECAR, "dist"), { recursive: true, force: true });
await build({
  absWorkingDir: SIDECAR,
  entryPoints: ["src/cli.ts", "src/doctor/database.child.ts", ...FOR_UNITS.map((name) => `src/${name}.ts`)],
  outbase: "src",
  outdir: "dist",
  // One folder down, like the folders of src: what a module finds by its own place, it finds from here too.
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  platform: "node",
  format: "esm",
  target: "node24",
  // better-sqlite3 finds its binary beside itself; pino-pretty is for developers, and in no release.
  external: ["better-sqlite3", "pino-pretty"],
  plugins: [SMALL],
  // Some packages are CommonJS and ask for Node's modules by `require`, which ES modules don't have.
  banner: {
    js: 'import { createRequire as requireFrom } from "node:module";\nconst require = requireFrom(import.meta.url);',
  },
  // Native helpers that ws would look for at import: nobody installs them here.
  define: { "process.env.WS_NO_BUFFER_UTIL": "true", "process.env.WS_NO_UTF_8_VALIDATE": "true" },
  logLevel: "warning",
});
// After what the folder was emptied for.
await buildConsole(join(SIDECAR, "dist", "console"));
