// `npm run package`: what an operator installs, in dist/. The plugin is one file, and the sidecar a few; with it goes the one package
// that can't be bundled, so that a VM needs neither a registry nor a compiler for it. Run after the build.
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { licenceTexts } from "./licences.mjs";
import { PNPM } from "./pnpm.mjs";
import { run, say } from "./steps.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DIST = join(ROOT, "dist");

/** What goes into the sidecar's tarball as it is here. */
const ALONG = ["systemd", "docs", "openclaw.json.example", "LICENSE", "CHANGELOG.md", "pnpm-lock.yaml"];

/** The machines that a release is for. better-sqlite3's package has a binary for each, under the checksum in pnpm-lock.yaml. */
const BINARIES = ["linux-x64.node", "linux-arm64.node"];

/** Not in the bundle: it has a binary. */
const NOT_BUNDLED = "better-sqlite3";

/** What only a compiler or an editor would read. */
const NOT_RUN = [
  "src",
  "build.mjs",
  "tsconfig.json",
  "node_modules/.bin",
  "node_modules/.pnpm",
  "node_modules/.modules.yaml",
].concat(["deps", "src", "binding.gyp"].map((name) => `node_modules/${NOT_BUNDLED}/${name}`));

const { version } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
const name = `hotbags-sidecar-${version}`;
const pnpm = (...args) =>
  run("npx", ["--yes", PNPM, "--filter", "@hotbags/sidecar", ...args], { cwd: ROOT, quiet: true });

const work = await mkdtemp(join(tmpdir(), "hotbags-package-"));
try {
  await rm(DIST, { recursive: true, force: true });
  await mkdir(DIST);
  say("pack the plugin");
  await run("npm", ["pack", "./plugin", "--pack-destination", DIST], { cwd: ROOT, quiet: true });
  say("pack the sidecar");
  await packSidecar(join(work, name));
  say("write the list of the packages that are in it (CycloneDX)");
  const bom = join(DIST, `hotbags-bridge-${version}.cdx.json`);
  const format = ["--sbom-format", "cyclonedx", "--sbom-spec-version", "1.6", "--sbom-type", "application"];
  await pnpm("sbom", "--prod", ...format, "--out", bom);
  await cp(join(ROOT, "systemd", "install.sh"), join(DIST, "install.sh"));
  await writeFile(join(DIST, "SHA256SUMS"), await checksums());
  process.stdout.write(`\n${await whatWasMade()}`);
} finally {
  await rm(work, { recursive: true, force: true });
}

async function packSidecar(folder) {
  const sidecar = join(folder, "sidecar");
  // As files of its own, as npm would lay them out: links into a store on this machine lead nowhere on another.
  const layout = ["--config.node-linker=hoisted", "--config.package-import-method=copy"];
  await pnpm("deploy", "--prod", "--legacy", ...layout, sidecar);
  for (const path of NOT_RUN) await rm(join(sidecar, path), { recursive: true, force: true });
  const binaries = join(sidecar, "node_modules", NOT_BUNDLED, "prebuilds");
  for (const file of await readdir(binaries)) if (!BINARIES.includes(file)) await rm(join(binaries, file));
  for (const file of BINARIES) await readFile(join(binaries, file));
  const nodeModules = join(sidecar, "node_modules");
  const packages = await packagesIn(nodeModules);
  for (const path of ALONG) await cp(join(ROOT, path), join(folder, path), { recursive: true });
  await writeFile(join(folder, "THIRD-PARTY-LICENSES"), await licenceTexts(packages));
  for (const name of await readdir(nodeModules))
    if (name !== NOT_BUNDLED) await rm(join(nodeModules, name), { recursive: true, force: true });
  await chmod(folder, 0o755);
  // The same files make the same tarball, whoever packs them and when.
  const same = ["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0", "--mode=u+rwX,go=rX"];
  await run("tar", [...same, "--use-compress-program=gzip -9n", "-cf", join(DIST, `${name}.tgz`), "-C", work, name]);
}

/** The folder of every package of others in a node_modules folder, also those that a package has for itself. */
async function packagesIn(nodeModules) {
  const folders = [];
  for (const entry of await readdir(nodeModules)) {
    if (entry === "@hotbags") continue;
    const inScope = entry.startsWith("@")
      ? (await readdir(join(nodeModules, entry))).map((it) => join(entry, it))
      : [entry];
    for (const path of inScope) {
      const folder = join(nodeModules, path);
      folders.push(folder);
      const own = join(folder, "node_modules");
      if ((await readdir(folder)).includes("node_modules")) folders.push(...(await packagesIn(own)));
    }
  }
  return folders.toSorted();
}

/** For whoever has run it: where the files are, and what to do with them. */
async function whatWasMade() {
  const rows = [];
  for (const file of (await readdir(DIST)).toSorted()) {
    const { size } = await stat(join(DIST, file));
    rows.push(`${String(Math.ceil(size / 1024)).padStart(8)} KiB  ${file}\n`);
  }
  return `In ${DIST}:\n${rows.join("")}Next: bring the folder to the machine, and run install.sh there: docs/runbook/install.md, "Bring the release there".\n`;
}

/** As `sha256sum -c` reads them. */
async function checksums() {
  const lines = [];
  for (const file of (await readdir(DIST)).toSorted()) {
    const hash = createHash("sha256")
      .update(await readFile(join(DIST, file)))
      .digest("hex");
    lines.push(`${hash}  ${file}\n`);
  }
  return lines.join("");
}
