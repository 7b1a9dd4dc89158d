// Bundles the plugin, with all that it needs, into dist/index.js. OpenClaw copies a plugin's whole folder, node_modules
// included, at every start of a gateway; and @hotbags/shared is in no registry from which an installed plugin could get it.
import { copyFile, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PLUGIN = fileURLToPath(new URL(".", import.meta.url));
const DIST = join(PLUGIN, "dist");
/** Whose code may go into the bundle, whose text then goes along. Anything else needs somebody to read it first. */
const FIT_LICENCES = ["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0"];

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
await writeFile(join(DIST, "THIRD-PARTY-LICENSES"), await licencesOf(Object.keys(metafile.inputs)));

/** Name, version and licence text of every package of others that is in the bundle. */
async function licencesOf(inputs) {
  const folders = new Set(inputs.map((input) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0]));
  const parts = [];
  for (const folder of [...folders].filter(Boolean).toSorted()) {
    const root = join(PLUGIN, folder);
    const { name, version, license } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    if (!FIT_LICENCES.includes(license)) throw new Error(`${name} is under ${license}: may it go into the bundle?`);
    const file = (await readdir(root)).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new Error(`${relative(PLUGIN, root)} has no licence file to go along`);
    parts.push(`${name} ${version} (${license})\n\n${(await readFile(join(root, file), "utf8")).trim()}\n`);
  }
  return parts.join(`\n${"-".repeat(80)}\n\n`);
}
