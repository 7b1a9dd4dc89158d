import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { until } from "../until.ts";
import { must, type Ran, run } from "./command.ts";

/** A container with systemd takes 2 s to boot, and as long as its units to stop. */
const BOOT_MS = 60_000;
const STOP_MS = 120_000;
const LOOK_MS = 200;

/** With which systemd-nspawn ends for a machine that wants to be started again. */
const REBOOT = 133;

const ENVIRONMENT = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"];

interface MachineOptions {
  /** Where its disk, its console and its mount point are. */
  folder: string;
  /** The root that it starts from, unchanged by it. */
  base: string;
  /** Folders and files of this machine that it sees, by their path there. */
  binds: Record<string, string>;
}

/**
 * A machine in a container of systemd-nspawn, booted by its own systemd. Its network is its own loopback and nothing else; its disk is
 * a layer over `base`. It lives in this process's namespaces for mounts and processes, and ends with them.
 */
export class Machine {
  readonly root: string;
  readonly #options: MachineOptions;
  #container: ChildProcess | undefined;
  /** The container's first process, as this process sees it. */
  #leader: number | undefined;
  #disks = 0;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.root = join(options.folder, "root");
  }

  /** Gives it a new, empty disk over its base. It is off then. */
  async renew(): Promise<void> {
    await this.pullThePlug();
    if (this.#disks > 0) await must("umount", ["--recursive", this.root]);
    this.#disks += 1;
    const { folder, base } = this.#options;
    const [upper, work] = ["upper", "work"].map((name) => join(folder, `disk-${this.#disks}`, name)) as [
      string,
      string,
    ];
    for (const path of [upper, work, this.root]) await mkdir(path, { recursive: true });
    const layers = `lowerdir=${base},upperdir=${upper},workdir=${work}`;
    await must("mount", ["-t", "overlay", "-o", layers, "overlay", this.root]);
  }

  /** Resolves when its systemd has come as far as to start units. */
  async boot(): Promise<void> {
    const { folder, binds } = this.#options;
    const console = openSync(join(folder, "console.log"), "a");
    const bound = Object.entries(binds).map(([there, here]) => `--bind-ro=${here}:${there}`);
    const quietly = ["--quiet", "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe"];
    const args = [
      "--boot",
      "--private-network",
      `--machine=${basename(folder)}`,
      `--directory=${this.root}`,
      ...quietly,
      ...bound,
    ];
    const container = spawn("systemd-nspawn", args, { stdio: ["ignore", console, console] });
    this.#container = container;
    const isUp = async () => {
      if (container.exitCode !== null)
        throw new Error(`systemd-nspawn ended with code ${container.exitCode}:\n${await this.consoleTail()}`);
      this.#leader = await firstChild(container.pid);
      return this.#leader !== undefined && (await this.run("systemctl is-active -q basic.target")).code === 0;
    };
    await until("the machine has booted", isUp, BOOT_MS, LOOK_MS);
  }

  /** Runs a line of shell in it, as root. */
  async run(line: string, environment: Record<string, string> = {}): Promise<Ran> {
    const set = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
    return run("nsenter", [...this.#enter(), "env", "-i", ...ENVIRONMENT, ...set, "sh", "-c", line]);
  }

  /** The same, and what it said. @throws Error where it ended badly. */
  async must(line: string, environment: Record<string, string> = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(line, environment);
    if (code !== 0) throw new Error(`${line} ended with code ${code}:\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** The same, while it runs. */
  start(line: string): ChildProcess {
    const args = [...this.#enter(), "env", "-i", ...ENVIRONMENT, "sh", "-c", line];
    return spawn("nsenter", args, { stdio: ["ignore", "pipe", "pipe"] });
  }

  /** A shell in it for the person at this terminal; resolves when that ends. */
  async shell(): Promise<void> {
    const args = [...this.#enter(), "env", "-i", ...ENVIRONMENT, "TERM=xterm", "bash", "-l"];
    await once(spawn("nsenter", args, { stdio: "inherit" }), "close");
  }

  /** Writes a file on its disk. */
  async write(path: string, content: string, mode = 0o644): Promise<void> {
    await mkdir(join(this.root, dirname(path)), { recursive: true });
    await writeFile(join(this.root, path), content, { mode });
  }

  /** As `reboot` does it: all is stopped, and booted again. */
  async reboot(): Promise<void> {
    await this.#end("systemctl reboot", REBOOT);
    await this.boot();
  }

  async powerOff(): Promise<void> {
    await this.#end("systemctl poweroff", 0);
  }

  /** As if its power was cut: nothing is stopped, and nothing said to anybody. */
  async pullThePlug(): Promise<void> {
    const container = this.#container;
    if (container?.exitCode !== null || container.signalCode !== null) return;
    const ended = once(container, "exit");
    // With the first process of its namespace all others end.
    if (this.#leader === undefined) container.kill("SIGKILL");
    else process.kill(this.#leader, "SIGKILL");
    await ended;
  }

  async consoleTail(): Promise<string> {
    const text = await readFile(join(this.#options.folder, "console.log"), "utf8");
    return text.split("\n").slice(-15).join("\n");
  }

  #enter(): string[] {
    return ["--target", String(this.#leader), "--all", "--wdns=/", "--"];
  }

  async #end(command: string, wanted: number): Promise<void> {
    const container = this.#container;
    if (!container) throw new Error("the machine is off");
    const ended = once(container, "exit");
    await this.run(command);
    const timer = setTimeout(() => container.kill("SIGKILL"), STOP_MS);
    const [code] = await ended;
    clearTimeout(timer);
    if (code !== wanted) throw new Error(`the machine did not stop by itself (${code}):\n${await this.consoleTail()}`);
  }
}

async function firstChild(pid: number | undefined): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, "utf8").catch(() => "");
  return Number(children.trim().split(" ")[0]) || undefined;
}
