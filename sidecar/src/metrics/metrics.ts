import { Registry } from "@prometheus-io/client";
import { type FigureKeeper, FlowMetrics } from "./flow.ts";
import { ProcessMetrics } from "./process.ts";
import { type Counted, type State, StateMetrics } from "./state.ts";

/**
 * What `GET /metrics` says, as Prometheus reads it. Counters begin with the process, as Prometheus expects. No label
 * has what another one wrote: no chat, no account, no id, no text.
 */
export class Metrics {
  readonly registry = new Registry();
  readonly flow: FlowMetrics;
  readonly #process: ProcessMetrics;
  #state: StateMetrics | undefined;

  /** `now`: wall-clock ms. */
  constructor(now: () => number, figures: FigureKeeper) {
    this.flow = new FlowMetrics({ registry: this.registry, now, figures });
    this.#process = new ProcessMetrics(this.registry);
  }

  /** There is a state to be read now, and so much was counted before. `read` rejects when it can't be read. */
  observe(start: Counted, read: () => Promise<State>): void {
    this.#state = new StateMetrics(this.registry, start, read);
  }

  /** Rejects when the state can't be read. */
  async expose(): Promise<{ contentType: string; text: string }> {
    await this.#state?.refresh();
    this.#process.refresh();
    return { contentType: this.registry.contentType, text: await this.registry.metrics() };
  }

  stop(): void {
    this.#process.stop();
  }
}
