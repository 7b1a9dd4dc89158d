// Bundles the plugin, with all that it needs, into dist/index.js. OpenClaw copies a plugin's whole folder, node_modules
// included, at every start of a gateway; and @hotbags/shared is in no registry from which an installed plugin could get it.
import { copyFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { licenceTexts } from "../test/setup/licences.mjs";

const PLUGIN = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(PLUGIN, "dist");

await rm(DIST, { recursive: true, force: true });
const { metafile } = await build({
  absWorkingDir: PLUGIN,
  entryPoints: ["src/index.ts"],
  outfile: "dist/index.js",
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node24",
  // The gateway's own code, which it gives to every plugin. (So there is no peer dependency either: with one, an install
  // would ask the registry for the whole list of OpenClaw's versions, and fail where there is no way out.)
  external: ["openclaw/*"],
  // ws is CommonJS and asks for Node's modules by `require`, which ES modules don't have.
  banner: { js: 'import { createRequire } from "node:module";\nconst require = createRequire(import.meta.url);' },
  // Native helpers that ws would look for at import: nobody installs them here.
  define: { "process.env.WS_NO_BUFFER_UTIL": "true", "process.env.WS_NO_UTF_8_VALIDATE": "true" },
  metafile: true,
  logLevel: "warning",
});
await copyFile(join(PLUGIN, "..", "LICENSE"), join(DIST, "LICENSE"));
const packages = packagesOf(Object.keys(metafile.inputs)).map((folder) => join(PLUGIN, folder));
await writeFile(join(DIST, "THIRD-PARTY-LICENSES"), await licenceTexts(packages));

/** The folder of every package of others that is in the bundle. */
function packagesOf(inputs) {
  const folders = new Set(inputs.map((input) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]));
  return [...folders].filter(Boolean).toSorted();
}
