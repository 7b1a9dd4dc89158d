import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { findPrometheus, type PrometheusPrograms } from "../setup/prometheus.ts";
import { until } from "../until.ts";
import { firesIn } from "./alert-rules.ts";
import { messageOf } from "./message.ts";
import { RunningPrometheus } from "./running-prometheus.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// What is in docs/grafana, in a real Prometheus: that it is understood, that it asks for what there is, and that each
// alert fires when it should, and on no good day.

const RULES = fileURLToPath(new URL("../../docs/grafana/alerts.yml", import.meta.url));
const DASHBOARD = fileURLToPath(new URL("../../docs/grafana/dashboard.json", import.meta.url));

const programs = await findPrometheus();

/** Resolves with what promtool says of this input; rejects with it where it finds anything wrong. */
function promtool(args: string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile((programs as PrometheusPrograms).promtool, args, (error, stdout, stderr) =>
      error ? reject(new Error(`${stdout}${stderr}`)) : resolve(`${stdout}${stderr}`),
    );
    child.stdin?.end(input);
  });
}

beforeEach(({ skip }) => {
  if (typeof programs === "string") skip(programs);
});

/** What is slow on a machine that has more to do. */
const OF_A_BUSY_MACHINE = ["HotbagsSlow", "HotbagsStoreSlow"];

it("promtool takes the rules", async () => {
  expect(await promtool(["check", "rules", "--lint=all", "--lint-fatal", RULES])).toContain("SUCCESS");
});

describe("of a sidecar with traffic", () => {
  let shop: ShopWithOperator;
  let prometheus: RunningPrometheus;

  beforeAll(async () => {
    if (typeof programs === "string") return;
    shop = await ShopWithOperator.start({ HOTBAGS_TIMEOUT: "2" });
    const status = { outbox_messages: 1, outbox_bytes: 1, oldest_at: new Date().toISOString(), parked_messages: 0 };
    shop.plugin.socket.send(JSON.stringify({ v: 1, type: "status", ...status }));
    prometheus = await RunningPrometheus.start(programs.prometheus, {
      rules: RULES,
      target: `127.0.0.1:${shop.sidecar.port}`,
    });
    await until("it is scraped", async () => (await prometheus.query("hotbags_healthy")).length > 0);
    shop.hotbags.next({ status: 503 });
    for (const id of ["A", "B"])
      await shop.plugin.handIn(messageOf(id, undefined, { timestamp: new Date().toISOString() }));
    await until("the replies are counted", async () => {
      const [sent] = await prometheus.query('increase(hotbags_commands_total{end="sent"}[1m]) > 0');
      return sent !== undefined;
    });
  });
  afterAll(async () => {
    await prometheus?.stop();
    await shop?.close();
  });

  it("promtool has nothing against the metrics", async () => {
    const text = await (await fetch(`http://127.0.0.1:${shop.sidecar.port}/metrics`)).text();
    expect(await promtool(["check", "metrics"], text)).toBe("");
  });

  it("each panel of the dashboard shows something", async () => {
    const { panels } = JSON.parse(readFileSync(DASHBOARD, "utf8")) as Dashboard;
    const asked = panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
    expect(asked.length).toBeGreaterThan(40);
    const empty: object[] = [];
    for (const { title, expr } of asked) {
      const query = expr.replaceAll("$__rate_interval", "1m").replaceAll("$instance", ".*");
      if ((await prometheus.query(query)).length === 0) empty.push({ title, expr });
    }
    expect(empty).toEqual([]);
  });

  it("each alert rule is evaluated, asks for metrics that there are, and none fires", async () => {
    await until("all were evaluated", async () =>
      (await prometheus.rules()).every(({ health }) => health !== "unknown"),
    );
    const rules = await prometheus.rules();
    expect(rules.filter(({ health, state }) => health !== "ok" || state === "firing")).toEqual([]);
    // One that would fire if it went on: not all was connected at once, and a busy machine can be slow indeed.
    await until("none is about to", async () =>
      (await prometheus.rules()).every(({ name, state }) => state === "inactive" || OF_A_BUSY_MACHINE.includes(name)),
    );
    const missing: string[] = [];
    for (const name of new Set(rules.flatMap(({ query }) => query.match(/\bhotbags_\w+/g) ?? [])))
      if ((await prometheus.query(name)).length === 0) missing.push(name);
    expect(missing).toEqual([]);
  });

  it("promtool sees each alert fire for what it is about, and no other", async () => {
    const rules = await prometheus.rules();
    const { tests, names } = firesIn();
    expect(names.toSorted()).toEqual(rules.map(({ name }) => name).toSorted());
    const file = `${shop.sidecar.dir}/alerts.test.json`;
    writeFileSync(file, JSON.stringify({ rule_files: [RULES], evaluation_interval: "5m", tests }));
    expect(await promtool(["test", "rules", file])).toContain("SUCCESS");
  });
});

interface Dashboard {
  panels: { title: string; targets?: { expr: string }[] }[];
}
