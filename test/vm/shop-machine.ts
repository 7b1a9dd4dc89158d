import { basename, join } from "node:path";
import { BEARER_TOKEN, BOT_NUMBER, CUSTOMERS } from "../shop/shop.ts";
import { readCode } from "../shop/terminal-code.ts";
import { until } from "../until.ts";
import type { Contact } from "../whatsapp/index.ts";
import type { Ran } from "./command.ts";
import type { FarEnds } from "./far-ends.ts";
import type { Machine } from "./machine.ts";
import type { Release } from "./releases.ts";

/** Where the machine sees the releases, and Node's tarball. */
export const GIVEN = "/mnt/given";

export const SIDECAR = "hotbags-sidecar";
export const GATEWAY = "openclaw-gateway";
export type Unit = typeof SIDECAR | typeof GATEWAY;

/** A start of the gateway takes 20 s of one CPU, and ten times that on a busy machine: this is for what never comes. */
const PATIENCE_MS = 900_000;
const LOOK_MS = 500;

/** In no folder that is looked at for what an installation has changed. */
const TOKEN_FILE = "/srv/doubles.token";

/** What a unit of the machine is doing, as `systemctl show` says it. */
export interface UnitState {
  ActiveState: string;
  SubState: string;
  MainPID: string;
  NRestarts: string;
  Result: string;
}

/** The machine with the bridge on it, the far ends, and what an operator and a customer do with them. */
export class ShopMachine {
  readonly machine: Machine;
  readonly far: FarEnds;
  readonly #nodeTarball: string;
  readonly #customers = [...CUSTOMERS];

  constructor(parts: { machine: Machine; far: FarEnds; nodeTarball: string }) {
    this.machine = parts.machine;
    this.far = parts.far;
    this.#nodeTarball = basename(parts.nodeTarball);
    this.far.hotbags.answers(({ message_id, text }) => [
      { command_id: `reply-${message_id}`, type: "send_text", text: answerTo(text) },
    ]);
  }

  /** Runs install.sh of a release, as from cloud-init: nobody can be asked. */
  async install(release: Release, ...options: string[]): Promise<Ran> {
    return this.machine.run(await this.#installLine(release, options), this.far.registryEnvironment);
  }

  /** The same, with a Ctrl-C (SIGINT to all of its process group) once `when` resolves. */
  async installUntil(release: Release, when: () => Promise<unknown>): Promise<Ran> {
    const group = "/run/install-group";
    const line = `setsid --wait sh -c 'echo $$ >${group}; exec ${await this.#installLine(release, [])}'`;
    const ran = this.machine.run(line, this.far.registryEnvironment);
    await when();
    await this.machine.must(`kill -s INT -- -$(cat ${group})`);
    return ran;
  }

  async #installLine(release: Release, options: string[]): Promise<string> {
    await this.machine.write(TOKEN_FILE, `${BEARER_TOKEN}\n`, 0o600);
    const given = [
      // A busy machine is slow, and no worse for it.
      ...["--health-timeout", "900"],
      ...["--yes", "--node", `${GIVEN}/${this.#nodeTarball}`],
      ...["--hotbags-url", this.far.hotbags.url, "--token-file", TOKEN_FILE, "--allow", CUSTOMERS.join(",")],
    ];
    const script = `${GIVEN}/${basename(release.folder)}/install.sh`;
    return [script, ...given, ...options].join(" ");
  }

  async unit(name: Unit): Promise<UnitState> {
    const said = await this.machine.must(`systemctl show -p ActiveState,SubState,MainPID,NRestarts,Result ${name}`);
    return Object.fromEntries(said.split("\n").map((line) => line.split("="))) as unknown as UnitState;
  }

  /** Resolves when the sidecar answers, whether all is well or not. */
  async answers(): Promise<void> {
    await this.wait("the sidecar answers", async () => (await this.health()) !== undefined);
  }

  /** Resolves when the sidecar says that all is well, and messages get through. */
  async healthy(): Promise<void> {
    await this.wait("the sidecar is healthy", async () => (await this.health())?.["ok"] === true);
    await this.#listening();
  }

  /** Resolves when messages get through, whatever else is not well. */
  async connected(): Promise<void> {
    await this.#are("plugin", "gateway", "session_connected");
    await this.#listening();
  }

  /** What `/health` says; undefined while nobody answers. */
  async health(): Promise<Record<string, unknown> | undefined> {
    const { code, stdout } = await this.machine.run(
      "curl -s --max-time 5 --unix-socket /run/hotbags/bridge.sock http://bridge/health",
    );
    return code === 0 ? JSON.parse(stdout) : undefined;
  }

  /** Resolves when the unit runs with another process than this one. */
  async runsAnew(name: Unit, earlier: string): Promise<void> {
    const isAnew = async () => {
      const { ActiveState, MainPID } = await this.unit(name);
      return ActiveState === "active" && MainPID !== "0" && MainPID !== earlier;
    };
    await this.wait(`${name} runs anew`, isAnew);
  }

  /** The phone is linked, as an operator does it. */
  async link(): Promise<void> {
    await this.#are("plugin", "gateway");
    const relink = this.machine.start("hotbags relink --qr --for 5m");
    let said = "";
    for (const stream of [relink.stdout, relink.stderr])
      stream?.setEncoding("utf8").on("data", (piece) => (said += piece));
    const ended = new Promise<number | null>((resolve) => relink.on("close", resolve));
    await this.wait("a code is shown", () => readCode(said) !== undefined).catch((error) => {
      throw new Error(`hotbags relink said ${said}`, { cause: error });
    });
    await this.far.whatsapp.scan(readCode(said) ?? "", { number: BOT_NUMBER });
    const code = await ended;
    if (code !== 0) throw new Error(`hotbags relink ended with code ${code}: ${said}`);
  }

  /** Has Hot Bags answer 503 to all for as long as this takes. */
  async whileHotBagsIsAway<T>(what: () => Promise<T>): Promise<T> {
    const lift = this.far.hotbags.faultFor(() => true, { status: 503 }, Number.MAX_SAFE_INTEGER);
    try {
      return await what();
    } finally {
      lift();
    }
  }

  /** How many messages the sidecar has that Hot Bags has not. */
  async queued(): Promise<number> {
    const messages = (await this.health())?.["messages"] as { pending: number } | undefined;
    return messages?.pending ?? 0;
  }

  /** A customer who has not written before. */
  newCustomer(): Contact {
    const number = this.#customers.pop();
    if (number === undefined) throw new Error("there are no customers left");
    return this.far.whatsapp.contact(number);
  }

  /** A new customer's message goes the whole way, and its one reply back. */
  async roundTrip(): Promise<void> {
    const customer = this.newCustomer();
    await customer.says("Is the red bag still there?");
    await this.hears(customer, "Is the red bag still there?");
    // The phone has it a moment before the sidecar knows: what is killed next is not to leave a doubt.
    await this.wait("the sidecar knows that it is sent", async () => {
      const commands = (await this.health())?.["commands"] as { sending: number } | undefined;
      return commands?.sending === 0;
    });
  }

  /** Resolves when the customer has got the answer to this; what else there was must be as often as it was asked. */
  async hears(customer: Contact, question: string): Promise<void> {
    await customer.hears(answerTo(question), { timeoutMs: PATIENCE_MS });
    const times = customer.heard.filter(({ text }) => text === answerTo(question)).length;
    if (times !== 1) throw new Error(`${customer.number} got ${times} answers to ${question}`);
  }

  /** Resolves when it is so. @throws Error when that takes minutes. */
  wait(what: string, condition: () => boolean | Promise<boolean>): Promise<boolean> {
    return until(what, condition, PATIENCE_MS, LOOK_MS);
  }

  /** What is needed to see why something failed. */
  async describe(): Promise<string> {
    const lines = [
      `systemctl --no-pager --full status ${SIDECAR} ${GATEWAY} | cut -c1-200`,
      "hotbags status",
      `journalctl --no-pager -n 15 -o cat -u ${SIDECAR} | cut -c1-400`,
      `journalctl --no-pager -n 15 -o cat -u ${GATEWAY} | cut -c1-400`,
    ];
    const said = [];
    for (const line of lines) {
      const { stdout, stderr } = await this.machine.run(line);
      said.push(`$ ${line}\n${stdout}${stderr}`);
    }
    return said.join("\n");
  }

  /** A path of the machine's disk, as this machine sees it. */
  path(path: string): string {
    return join(this.machine.root, path);
  }

  /** Resolves when these checks of `/health` are well. */
  async #are(...links: string[]): Promise<void> {
    await this.wait(`well: ${links.join(", ")}`, async () => {
      const checks = ((await this.health())?.["checks"] ?? []) as { name: string; ok: boolean }[];
      return links.every((link) => checks.some(({ name, ok }) => name === link && ok));
    });
  }

  /** What WhatsApp hands over before OpenClaw listens is lost. */
  async #listening(): Promise<void> {
    const listens = async () => {
      const line = `journalctl -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show --value -p InvocationID ${GATEWAY})`;
      const { stdout } = await this.machine.run(`${line} | grep -c "Listening for WhatsApp inbound messages"`);
      return Number(stdout) > 0;
    };
    await this.wait("OpenClaw listens to WhatsApp", listens);
    await this.far.whatsapp.online(PATIENCE_MS);
  }
}

function answerTo(text: string): string {
  return `Yes! (You asked: ${text})`;
}
