import { NAMES_BY_ACCOUNT } from "../../sidecar/src/metrics/state.ts";

interface Described {
  name: string;
  type: string;
  help: string;
  /** Each label with its values, but for a histogram's `le`. */
  labels: Map<string, Set<string>>;
}

/** docs/metrics.md, from what `GET /metrics` says. */
export function drawMetrics(exposition: string): string {
  const rows = describe(exposition).map(({ name, type, help, labels }) => {
    const shown = [...labels].map(([label, values]) =>
      label === "version" ? "`version`" : `\`${label}\`: ${[...values].join(", ")}`,
    );
    return `| \`${name}\` | ${type} | ${help} | ${shown.join("; ")} |`;
  });
  return `${HEAD}\n${rows.join("\n")}\n`;
}

function describe(exposition: string): Described[] {
  const found: Described[] = [];
  for (const line of exposition.split("\n")) {
    const help = /^# HELP (\S+) (.*)$/.exec(line);
    if (help) found.push({ name: help[1] ?? "", type: "", help: help[2] ?? "", labels: new Map() });
    const last = found.at(-1);
    if (!last) continue;
    const type = /^# TYPE \S+ (\S+)$/.exec(line);
    if (type) last.type = type[1] ?? "";
    if (line.startsWith("#")) continue;
    for (const [, label = "", value = ""] of line.matchAll(/(\w+)="([^"]*)"/g))
      if (label !== "le") last.labels.set(label, (last.labels.get(label) ?? new Set()).add(value));
  }
  return found;
}

/** Those that have an account where several sidecars share a store. */
const ofAccounts = () => NAMES_BY_ACCOUNT.map((name) => `\`${name}\``).join(", ");

const HEAD = `# Metrics

\`GET /metrics\`, where \`/health\` is (\`BRIDGE_LISTEN\`, 127.0.0.1:18790), in the text format of Prometheus:

    scrape_configs:
      - job_name: hotbags
        static_configs: [{ targets: ["127.0.0.1:18790"] }]
    rule_files: [/opt/hotbags/docs/grafana/alerts.yml]

It needs no token. The sidecar listens on this machine only, a scraper of this machine would have to keep a secret for it, and there is nothing secret in it: numbers of things, and labels of our own words. No phone number, chat, id or text is ever a label, so that the count of series has a bound, too: about 400. With [several sidecars](#several-sidecars) the names of accounts and sidecars are labels, too. A scrape costs some milliseconds, over a million messages as well. Prometheus can't scrape a socket: with \`BRIDGE_LISTEN=unix:…\`, as \`install.sh\` sets it up, add \`BRIDGE_METRICS_LISTEN=127.0.0.1:18791\`, where \`/metrics\` and \`/health\` answer besides, and nothing else does. It is off by default: on the machine's loopback every user can ask. A Prometheus on another machine needs a proxy as well, with TLS and a password.

Counters and histograms begin with the process, as \`rate()\` and \`increase()\` expect. What is there now (dead letters, what waits) is a gauge, and is right from the start. While the sidecar waits at its start for something, such as a disk, the answer is 503, and \`up\` is 0. A series that is missing is not known: while the plugin is away, nobody knows its outbox.

[grafana/alerts.yml](grafana/alerts.yml) has alert rules, and [grafana/dashboard.json](grafana/dashboard.json) a dashboard (Grafana: Dashboards, New, Import). They tell whoever has Prometheus already what the bridge's own alerts tell without it ([alerts.md](alerts.md)). Without it there are also the [figures](figures.md) that the sidecar keeps itself.

A latency is as right as the clocks: when a customer wrote is WhatsApp's word, to the second. A customer whose phone was offline, and a message that came while the gateway was down, count with all the time that passed.

## Several sidecars

Where sidecars share a PostgreSQL (\`BRIDGE_STORE\`), each is scraped, and

- each series has \`instance\`, the name of the sidecar that shows it (\`BRIDGE_INSTANCE\`). Prometheus has a label of that name itself, the address that it scrapes, and calls ours \`exported_instance\`; with \`honor_labels: true\` it takes ours instead.
- what is an account's has \`account\` as well: ${ofAccounts()}. It is shown by the account's owner alone, and goes with the account to whoever takes it over. Its counters begin with 0 there, and count from the instant in which the account changed hands. With an empty \`account\` it is what the one that leads has counted of the outbox, and of no account.

So nothing is counted twice: \`sum by (account) (rate(hotbags_messages_accepted_total[5m]))\` is each shop's, \`sum(hotbags_messages{state="waiting"})\` and \`max(hotbags_oldest_message_wait_seconds)\` are the fleet's. For five minutes after a take-over a Prometheus that could not scrape the old owner still shows its last gauges: \`max by (account, state) (hotbags_messages)\` counts none of them twice even then. \`hotbags_whatsapp_accounts\` and all others are of the process: its gateway, its plugin, its disk. An account has about 30 series.

A sidecar that is alone has neither label: its counters are of all accounts in one, and a label that comes with an upgrade would break every series in two.

## Which there are

<!-- Made from what the sidecar answers: vitest run --project unit test/sidecar/metrics.test.ts -u -->

| metric | type | what it says | labels |
|---|---|---|---|`;
