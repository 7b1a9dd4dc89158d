import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { must } from "./command.ts";

/** What a cloud's image has beyond the smallest Debian, as far as install.sh and systemd need it. */
const PACKAGES = ["systemd", "systemd-sysv", "dbus", "ca-certificates", "xz-utils", "curl"];

/**
 * The root of a fresh system, made by debootstrap at the first call (a minute, the archive) and kept in `cache`: machines are
 * layers over it, and change nothing in it.
 */
export async function debianRoot(
  { cache, suite, mirror }: { cache: string; suite: string; mirror: string },
  log: (line: string) => void,
): Promise<string> {
  const stamp = createHash("sha256")
    .update([suite, mirror, ...PACKAGES].join("\n"))
    .digest("hex")
    .slice(0, 12);
  const root = join(cache, `${suite}-${stamp}`);
  const made = `${root}.made`;
  if ((await readFile(made, "utf8").catch(() => "")) === stamp) return root;
  log(`make a root of ${suite} by debootstrap (once; about a minute)`);
  await mkdir(cache, { recursive: true });
  const unfinished = `${root}.new`;
  for (const folder of [root, unfinished]) await rm(folder, { recursive: true, force: true });
  await must("debootstrap", ["--variant=minbase", `--include=${PACKAGES.join(",")}`, suite, unfinished, mirror]);
  // Each machine is to make its own.
  await writeFile(join(unfinished, "etc", "machine-id"), "");
  await rename(unfinished, root);
  await writeFile(made, stamp);
  return root;
}
