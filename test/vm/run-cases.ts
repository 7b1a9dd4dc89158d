import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { Socket } from "node:net";
import { basename, join } from "node:path";
import { debianRoot } from "./base-root.ts";
import type { Releases } from "./case.ts";
import { CASES } from "./cases.ts";
import { bindsOf, startFarEnds } from "./far-ends.ts";
import { Machine } from "./machine.ts";
import { nodeTarball, releaseIn, repack } from "./releases.ts";
import { GIVEN, ShopMachine } from "./shop-machine.ts";
import { Stage, type Taken } from "./stage.ts";

// vm-test.ts starts this in namespaces of its own for mounts and processes: whatever ends it ends the machine, and takes its mounts away.

/** What vm-test.ts hands over. */
export interface Plan {
  only: string[];
  keep: boolean;
  /** Folders: what is kept between runs, this run's own, and this repository. */
  cache: string;
  work: string;
  repository: string;
  /** The release of Debian or Ubuntu, its archive, and npm's registry. */
  suite: string;
  mirror: string;
  registry: string;
  /** The folder of a release to upgrade from; null: this one under another version. */
  previous: string | null;
}

const log = (() => {
  const start = performance.now();
  return (line: string) =>
    void process.stdout.write(`${((performance.now() - start) / 1_000).toFixed(0).padStart(5)} s  ${line}\n`);
})();

async function main(plan: Plan): Promise<number> {
  const base = await debianRoot(plan, log);
  const [given, sockets] = [join(plan.work, "given"), join(plan.work, "sockets")];
  for (const folder of [given, sockets]) await mkdir(folder, { recursive: true });
  const releases = await makeReleases(plan, given);
  const node = await nodeTarball(plan.cache);
  await cp(node, join(given, basename(node)));
  const far = await startFarEnds(sockets, plan.registry);
  const binds = { ...bindsOf(plan.repository, sockets), [GIVEN]: given };
  const machine = new Machine({ folder: plan.work, base, binds });
  const stage = new Stage(new ShopMachine({ machine, far, nodeTarball: node }), releases, log);
  const taken: Taken[] = [];
  for (const one of CASES) if (plan.only.length === 0 || plan.only.includes(one.name)) taken.push(await stage.run(one));
  process.stdout.write(drawTable(taken));
  if (plan.keep) {
    process.stdout.write("\nA shell on the machine. When it ends, the machine is removed.\n");
    await machine.shell();
  }
  return taken.some(({ failure }) => failure !== undefined) ? 1 : 0;
}

async function makeReleases({ repository, previous }: Plan, given: string): Promise<Releases> {
  const folder = (name: string) => join(given, name);
  const current = await releaseIn(join(repository, "dist"));
  await cp(current.folder, folder("current"), { recursive: true });
  if (previous !== null) await cp(previous, folder("previous"), { recursive: true });
  else await repack(current, { folder: folder("previous"), version: "0.0.1" });
  const neverStarts = async (sidecar: string) => {
    const cli = join(sidecar, "sidecar", "dist", "cli.js");
    const refusal = 'if (process.argv.includes("serve")) throw new Error("this release does not start");';
    await writeFile(cli, (await readFile(cli, "utf8")).replace(/^(#!.*\n)?/, `$1${refusal}\n`));
  };
  return {
    current: { ...current, folder: folder("current") },
    previous: await releaseIn(folder("previous")),
    broken: await repack(current, { folder: folder("broken"), version: "99.0.0", change: neverStarts }),
  };
}

function drawTable(taken: Taken[]): string {
  const row = (seconds: string, name: string, result: string) =>
    `${seconds.padStart(9)}  ${name.padEnd(14)}  ${result}\n`;
  const rows = taken.map(({ seconds, name, failure }) =>
    row(seconds.toFixed(0), name, failure ? `✗ ${failure}` : "passed"),
  );
  const failed = taken.filter(({ failure }) => failure !== undefined).length;
  return `\n${row("seconds", "case", "result")}${rows.join("")}\n${taken.length - failed} passed, ${failed} failed\n`;
}

// However vm-test.ts has ended. (As a socket: a read of the file would keep this process from ending.)
new Socket({ fd: 3 }).on("close", () => process.exit(1)).resume();
process.exitCode = await main(JSON.parse(process.argv[2] ?? ""));
// With this process, the first of its namespace, all ends that it has started: the machine, and the doubles.
process.exit();
