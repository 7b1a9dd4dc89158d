import type { Case, Condition, Releases } from "./case.ts";
import { assert } from "./case.ts";
import type { ShopMachine } from "./shop-machine.ts";

/** How a case went. */
export interface Taken {
  name: string;
  seconds: number;
  failure?: string;
}

/** Brings the machine to what each case needs, which costs nothing where the case before has left it so. */
export class Stage {
  readonly #shop: ShopMachine;
  readonly #releases: Releases;
  readonly #log: (line: string) => void;
  /** Undefined: a case has failed half-way, or there is no machine yet. */
  #condition: Condition | undefined;

  constructor(shop: ShopMachine, releases: Releases, log: (line: string) => void) {
    this.#shop = shop;
    this.#releases = releases;
    this.#log = log;
  }

  /** Never rejects: what went wrong is in what it resolves with, and all that is known of it is logged. */
  async run(one: Case): Promise<Taken> {
    let start = performance.now();
    const taken = () => ({ name: one.name, seconds: (performance.now() - start) / 1_000 });
    try {
      await this.#prepare(one.on);
      start = performance.now();
      this.#log(`${one.name}: ${one.promise}`);
      this.#condition = undefined;
      await one.run(this.#shop, this.#releases);
      this.#condition = one.leaves;
      return taken();
    } catch (error) {
      this.#condition = undefined;
      const failure = describe(error);
      this.#log(`✗ ${one.name}: ${failure}\n${await this.#shop.describe().catch(describe)}`);
      return { ...taken(), failure: failure.split("\n")[0] ?? "" };
    }
  }

  async #prepare(wanted: Condition): Promise<void> {
    const is = this.#condition;
    if (is === wanted || (is === "bare" && wanted === "cleared")) return;
    if (is !== "installed" || wanted !== "answering") await this.#setUp(wanted);
    if (wanted !== "answering") return;
    this.#log("  set-up: link the phone");
    await this.#shop.link();
    await this.#shop.healthy();
  }

  async #setUp(wanted: Condition): Promise<void> {
    this.#log("  set-up: a new machine");
    const { machine, far } = this.#shop;
    await machine.renew();
    await far.appearOn(machine);
    await machine.boot();
    if (wanted === "bare" || wanted === "cleared") return;
    this.#log("  set-up: install");
    const { code, stdout, stderr } = await this.#shop.install(this.#releases.current);
    assert(code === 0, `install.sh ended with code ${code}:\n${stdout}${stderr}`);
    await this.#shop.answers();
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}\n${describe(error.cause)}`;
}
