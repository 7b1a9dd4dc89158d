import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import { run } from "./command.ts";

/** What this machine needs, and the package of Debian and Ubuntu that has it. */
const NEEDED = [
  ["debootstrap", "debootstrap"],
  ["systemd-nspawn", "systemd-container"],
  ["unshare", "util-linux"],
  ["nsenter", "util-linux"],
] as const;

/** install.sh refuses less, and the machine under test sees this one's memory. */
const LEAST_MEMORY_MB = 2_700;

/**
 * Why the machine under test can't be run here, in a sentence that says what to do; undefined where it can. Installs the packages that
 * are missing where it may.
 */
export async function whyNotHere(log: (line: string) => void): Promise<string | undefined> {
  if (process.platform !== "linux") return "it needs Linux: the machine under test is a container with systemd";
  if (process.getuid?.() !== 0) return "it needs root, to run a machine in a container: sudo npm run vm-test";
  const memoryMb = await totalMemoryMb();
  if (memoryMb < LEAST_MEMORY_MB)
    return `it needs ${LEAST_MEMORY_MB} MB of memory and swap, as install.sh does; here are ${memoryMb}`;
  const missing = () => [...new Set(NEEDED.filter(([program]) => !isInPath(program)).map(([, name]) => name))];
  if (missing().length > 0 && isInPath("apt-get")) {
    log(`install ${missing().join(", ")} by apt-get`);
    await run("apt-get", ["update", "-qq"]);
    await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing()]);
  }
  if (missing().length > 0) return `install first: ${missing().join(", ")}`;
  const namespaces = await run("unshare", ["--mount", "--pid", "--fork", "true"]);
  if (namespaces.code !== 0) return `it may make no namespaces here (a container?): ${namespaces.stderr.trim()}`;
  const overlay = await run("sh", ["-c", "grep -qw overlay /proc/filesystems || modprobe overlay"]);
  return overlay.code === 0 ? undefined : "it needs the kernel's overlay file system: modprobe overlay";
}

async function totalMemoryMb(): Promise<number> {
  const { stdout } = await run("awk", [
    "/^(MemTotal|SwapTotal):/ { kb += $2 } END { print int(kb / 1024) }",
    "/proc/meminfo",
  ]);
  return Number(stdout);
}

function isInPath(program: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}
