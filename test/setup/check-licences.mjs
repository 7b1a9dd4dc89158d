// A step of `npm test`: whether everything that the sidecar runs on may be shipped. What is bundled into the plugin, its build checks.
import { fileURLToPath } from "node:url";
import { assertFit } from "./licences.mjs";
import { PNPM } from "./pnpm.mjs";
import { run } from "./steps.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

const args = [
  "--yes",
  PNPM,
  "--filter",
  "@hotbags/sidecar",
  "--filter",
  "@hotbags/shared",
  "--filter",
  "@hotbags/console",
  "licenses",
  "list",
  "--prod",
  "--json",
];
const byLicence = JSON.parse(await run("npx", args, { cwd: ROOT, quiet: true }));
const packages = Object.values(byLicence).flat();
for (const { name, versions, license } of packages) assertFit(name, versions.join(", "), license);
if (packages.length === 0) throw new Error("pnpm names no package at all");
process.stdout.write(`${packages.length} packages, all of which may be shipped\n`);
