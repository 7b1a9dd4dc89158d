import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CASES } from "./cases.ts";
import { must } from "./command.ts";
import { whyNotHere } from "./host.ts";
import type { Plan } from "./run-cases.ts";

const REPOSITORY = fileURLToPath(new URL("../..", import.meta.url));
const CACHE = join(REPOSITORY, "node_modules", ".cache", "hotbags", "vm");
const SUITE = "bookworm";
const MIRROR = "http://deb.debian.org/debian";

const USAGE = `npm run vm-test [-- options]

Packs this repository, installs it by install.sh on a Debian 12 that boots with its own systemd in a container, and has that machine do
what a machine must: answer, outlive kills, reboots and a full disk, be upgraded, and go back. WhatsApp and Hot Bags are the doubles of
the other tests. The machine has no network; only install.sh reaches npm's registry. Needs root, and 15 minutes.

  --only <case>      only this one, and what it needs first (several times: several)
  --keep             at the end a shell on the machine
  --previous <dir>   what "upgrade" begins with: what npm run package made of an earlier release (default: this one, as 0.0.1)
  --cache <dir>      where Debian's root and Node's tarball are kept (default: node_modules/.cache/hotbags/vm)
  --suite <name>     the release of Debian or Ubuntu that debootstrap makes (default: ${SUITE})
  --mirror <url>     its archive (default: ${MIRROR})

${CASES.map(({ name, promise }) => `  ${name.padEnd(20)} ${promise}`).join("\n")}
`;

const say = (line: string) => void process.stdout.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", multiple: true, default: [] },
      keep: { type: "boolean", default: false },
      previous: { type: "string" },
      cache: { type: "string", default: CACHE },
      suite: { type: "string", default: SUITE },
      mirror: { type: "string", default: MIRROR },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const unknown = values.only.filter((name) => !CASES.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`there is no case ${unknown.join(", ")}: npm run vm-test -- --help has them`);
  const why = await whyNotHere(say);
  if (why !== undefined) throw new Error(`vm-test can't run here: ${why}`);
  say("· pack what is to be installed");
  await must(process.execPath, [join(REPOSITORY, "test", "setup", "pack.mjs")]);
  const registry = (await must("npm", ["config", "get", "registry"])).trim();
  const cache = resolve(values.cache);
  await mkdir(cache, { recursive: true });
  const work = await mkdtemp(join(tmpdir(), "hotbags-vm-"));
  const { only, keep, suite, mirror, previous = null } = values;
  try {
    return await inNamespaces({ only, keep, suite, mirror, previous, cache, work, registry, repository: REPOSITORY });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Runs the plan in namespaces of its own. The kernel takes these away with the last process in them, and that with this one. */
async function inNamespaces(plan: Plan): Promise<number> {
  const namespaces = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
  const runner = fileURLToPath(new URL("./run-cases.ts", import.meta.url));
  const child = spawn("unshare", [...namespaces, process.execPath, runner, JSON.stringify(plan)], {
    // By the last one it notices that this process is gone.
    stdio: ["inherit", "inherit", "inherit", "pipe"],
  });
  const end = () => void child.kill("SIGKILL");
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  const [code] = await once(child, "close");
  return code ?? 1;
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
});
