import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../hotbags/port.ts";
import { takeCareOf } from "../openclaw/caretaker.ts";
import { until } from "../until.ts";

/** One series of an answer: its labels, and its value as text. */
interface Series {
  metric: Record<string, string>;
  value: [number, string];
}

/** A real Prometheus that scrapes one sidecar four times a second. */
export class RunningPrometheus {
  readonly #child: ChildProcess;
  readonly #dir: string;
  readonly #url: string;

  private constructor(child: ChildProcess, dir: string, url: string) {
    this.#child = child;
    this.#dir = dir;
    this.#url = url;
  }

  /** Resolves when it answers. */
  static async start(program: string, { rules, target }: { rules: string; target: string }) {
    const dir = mkdtempSync(join(tmpdir(), "hotbags-prometheus-"));
    const config = join(dir, "prometheus.yml");
    const often = { scrape_interval: "250ms", scrape_timeout: "250ms", evaluation_interval: "250ms" };
    const jobs = [{ job_name: "hotbags", static_configs: [{ targets: [target] }] }];
    // JSON is YAML.
    writeFileSync(config, JSON.stringify({ global: often, rule_files: [rules], scrape_configs: jobs }));
    const port = await freePort();
    const args = [
      `--config.file=${config}`,
      `--storage.tsdb.path=${join(dir, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ];
    const child = spawn(program, args, { detached: true, stdio: ["ignore", "ignore", "pipe"] });
    takeCareOf(child);
    let said = "";
    child.stderr?.on("data", (chunk) => {
      said += chunk;
    });
    const running = new RunningPrometheus(child, dir, `http://127.0.0.1:${port}`);
    await until("Prometheus is ready", async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus ended with code ${child.exitCode}: ${said}`);
      return (await fetch(`${running.#url}/-/ready`).catch(() => null))?.status === 200;
    });
    return running;
  }

  /** What an expression is now. Throws with what Prometheus has against it. */
  async query(expr: string): Promise<Series[]> {
    const { result } = await this.#get<{ result: Series[] }>(`query?query=${encodeURIComponent(expr)}`);
    return result;
  }

  /** The alert rules as it has read them, and how they fare. */
  async rules() {
    type Rule = { name: string; query: string; health: string; lastError?: string; state: string };
    const { groups } = await this.#get<{ groups: { rules: Rule[] }[] }>("rules");
    return groups.flatMap(({ rules }) => rules);
  }

  async stop(): Promise<void> {
    const ended = once(this.#child, "close");
    this.#child.kill("SIGKILL");
    await ended;
    rmSync(this.#dir, { recursive: true });
  }

  async #get<Data>(path: string): Promise<Data> {
    const response = await fetch(`${this.#url}/api/v1/${path}`);
    const answer = (await response.json()) as { status: string; error?: string; data: Data };
    if (answer.status !== "success") throw new Error(`${decodeURIComponent(path)}: ${answer.error}`);
    return answer.data;
  }
}
