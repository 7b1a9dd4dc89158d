import { Registry } from "@prometheus-io/client";
import { type FigureKeeper, FlowMetrics } from "./flow.ts";
import { ProcessMetrics } from "./process.ts";
import { type Counted, type CountedOf, type State, StateMetrics } from "./state.ts";

interface MetricsParts {
  /** Wall-clock ms. */
  now(): number;
  figures: FigureKeeper;
  /** This sidecar's name, where others share its store; null: it is alone. */
  instance: string | null;
}

/**
 * What `GET /metrics` says, as Prometheus reads it. Counters begin with the process, as Prometheus expects. No label
 * has what another one wrote: no chat, no id, no text. Where several sidecars share a store, what is a process's has the
 * name of its sidecar, and what is an account's that of the account, from its owner alone: so a sum over all counts nothing
 * twice.
 */
export class Metrics {
  readonly flow: FlowMetrics;
  readonly #own = new Registry();
  readonly #accounts: Registry;
  readonly #isApart: boolean;
  readonly #process: ProcessMetrics;
  #state: StateMetrics | undefined;

  constructor({ now, figures, instance }: MetricsParts) {
    this.#isApart = instance !== null;
    if (instance !== null) this.#own.setDefaultLabels({ instance });
    this.#accounts = this.#isApart ? new Registry() : this.#own;
    this.flow = new FlowMetrics({ registry: this.#own, now, figures });
    this.#process = new ProcessMetrics(this.#own);
  }

  /**
   * There is a state to be read now, and so much was counted before; of accounts that are taken over later, `whenOwned`.
   * `read` rejects when it can't be read.
   */
  observe(start: Counted, read: () => Promise<State>, whenOwned: (account: string) => CountedOf | null): void {
    const registries = { own: this.#own, accounts: this.#accounts, isApart: this.#isApart };
    this.#state = new StateMetrics(registries, start, read, whenOwned);
  }

  /** The account is another one's. */
  letGo(account: string): void {
    this.#state?.end(account);
  }

  /** Rejects when the state can't be read. */
  async expose(): Promise<{ contentType: string; text: string }> {
    await this.#state?.refresh();
    this.#process.refresh();
    const { contentType } = this.#own;
    const registries = new Set([this.#own, this.#accounts]);
    const texts = await Promise.all([...registries].map((registry) => registry.metrics()));
    return { contentType, text: texts.join("\n") };
  }

  stop(): void {
    this.#process.stop();
  }
}
