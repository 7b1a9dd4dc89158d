import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Registry } from "@prometheus-io/client";

/**
 * How often the lag of the event loop is measured, ms, by a timer of Node's own that keeps no process alive: each time wakes the
 * process, and 50 a second were half of what an idle sidecar uses. Of a stop so much can go unseen.
 */
const RESOLUTION_MS = 200;

/**
 * The process itself, under the names that every Prometheus client uses. The library's own set (collectDefaultMetrics)
 * has 40 more, and a timer that goes off ten times a second.
 */
export class ProcessMetrics {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #cpu;
  readonly #memory;
  readonly #usualLag;
  readonly #worstLag;

  constructor(registry: Registry) {
    const registers = [registry];
    this.#delay.enable();
    this.#cpu = new Counter({
      name: "process_cpu_seconds_total",
      help: "CPU time of the sidecar, of the user and the system",
      registers,
    });
    this.#memory = new Gauge({
      name: "process_resident_memory_bytes",
      help: "Memory of the sidecar that is in the machine's memory",
      registers,
    });
    new Gauge({
      name: "process_start_time_seconds",
      help: "When the sidecar was started",
      registers,
    }).set(Math.round(performance.timeOrigin / 1_000));
    const lag = (name: string, which: string) =>
      new Gauge({ name, help: `How late the event loop was since the last scrape: ${which}`, registers });
    this.#usualLag = lag("hotbags_event_loop_lag_p99_seconds", "99 of 100 of its turns were not later");
    this.#worstLag = lag("hotbags_event_loop_lag_max_seconds", "at the worst");
  }

  /** Brings all up to date. */
  refresh(): void {
    const { user, system } = process.cpuUsage();
    this.#cpu.reset();
    this.#cpu.inc((user + system) / 1e6);
    this.#memory.set(process.memoryUsage.rss());
    // The monitor measures the whole time between two of its ticks.
    const lagOf = (ns: number) => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1_000);
    this.#usualLag.set(lagOf(this.#delay.percentile(99)));
    this.#worstLag.set(lagOf(this.#delay.max));
    this.#delay.reset();
  }

  stop(): void {
    this.#delay.disable();
  }
}
