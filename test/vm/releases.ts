import { createHash } from "node:crypto";
import { cp, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { must } from "./command.ts";

/** What `npm run package` has made: a folder with install.sh, its version. */
export interface Release {
  folder: string;
  version: string;
}

/** Reads the release that lies in a folder. @throws Error where there is none. */
export async function releaseIn(folder: string): Promise<Release> {
  const names = await readdir(folder).catch(() => []);
  const version = names.map((name) => /^hotbags-sidecar-(.+)\.tgz$/.exec(name)?.[1]).find(Boolean);
  if (version === undefined) throw new Error(`${folder} has no release in it: npm run package makes one`);
  return { folder, version };
}

/**
 * The same release under another version, in a folder of its own, as it would be packed; `change` may do to the sidecar's files what it
 * likes.
 */
export async function repack(
  release: Release,
  { folder, version, change = async () => {} }: Release & { change?: (sidecar: string) => Promise<void> },
): Promise<Release> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const [sidecar, plugin] = [join(folder, `hotbags-sidecar-${version}`), join(folder, "package")];
  await must("tar", ["-xzf", join(release.folder, `hotbags-sidecar-${release.version}.tgz`), "-C", folder]);
  await must("tar", ["-xzf", join(release.folder, `hotbags-openclaw-plugin-${release.version}.tgz`), "-C", folder]);
  await rename(join(folder, `hotbags-sidecar-${release.version}`), sidecar);
  await says(join(sidecar, "sidecar", "dist"), release.version, version);
  await says(join(plugin, "dist"), release.version, version);
  await change(sidecar);
  const packed = [`hotbags-sidecar-${version}.tgz`, `hotbags-openclaw-plugin-${version}.tgz`];
  await must("tar", ["-czf", packed[0] ?? "", `hotbags-sidecar-${version}`], folder);
  await must("tar", ["-czf", packed[1] ?? "", "package"], folder);
  for (const path of [sidecar, plugin]) await rm(path, { recursive: true });
  await cp(join(release.folder, "install.sh"), join(folder, "install.sh"));
  const sums = [];
  for (const name of [...packed, "install.sh"]) sums.push(`${await sha256(join(folder, name))}  ${name}\n`);
  await writeFile(join(folder, "SHA256SUMS"), sums.join(""));
  return { folder, version };
}

/** Has the constant VERSION in the bundles of this folder say so. */
async function says(folder: string, before: string, after: string): Promise<void> {
  const declaration = new RegExp(`(VERSION\\d* = )"${before.replaceAll(".", "\\.")}"`, "g");
  const names = await readdir(folder, { recursive: true });
  let changes = 0;
  for (const name of names.filter((name) => name.endsWith(".js"))) {
    const text = await readFile(join(folder, name), "utf8");
    const changed = text.replace(declaration, `$1"${after}"`);
    if (changed === text) continue;
    await writeFile(join(folder, name), changed);
    changes += 1;
  }
  if (changes === 0) throw new Error(`nothing in ${folder} says VERSION = "${before}"`);
}

async function sha256(file: string): Promise<string> {
  return createHash("sha256")
    .update(await readFile(file))
    .digest("hex");
}

/**
 * Node with its npm, laid out and packed as nodejs.org does: the Node that runs this, and this machine's npm. Kept in `cache`. Resolves
 * with the tarball.
 */
export async function nodeTarball(cache: string): Promise<string> {
  const name = `node-${process.version}-linux-${process.arch}`;
  const tarball = join(cache, `${name}.tar.gz`);
  if ((await readdir(cache)).includes(`${name}.tar.gz`)) return tarball;
  const npm = dirname(dirname((await must("sh", ["-c", 'readlink -f "$(command -v npm)"'])).trim()));
  const folder = join(cache, name);
  await rm(folder, { recursive: true, force: true });
  await mkdir(join(folder, "bin"), { recursive: true });
  await cp(process.execPath, join(folder, "bin", "node"), { dereference: true });
  await cp(npm, join(folder, "lib", "node_modules", "npm"), { recursive: true });
  await symlink("../lib/node_modules/npm/bin/npm-cli.js", join(folder, "bin", "npm"));
  await must("tar", ["-czf", `${tarball}.new`, "-C", cache, name]);
  await rename(`${tarball}.new`, tarball);
  await rm(folder, { recursive: true });
  return tarball;
}
