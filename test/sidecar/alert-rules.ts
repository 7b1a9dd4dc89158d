/** What makes an alert of docs/grafana/alerts.yml fire: series in promtool's notation, on top of a good day's or in their place. */
interface Case {
  alert: string;
  series: Record<string, string>;
}

const TARGET = { job: "hotbags", instance: "127.0.0.1:18790" };
const AT = "80m";
const LONG = "x90";

const steady = (value: number) => `${value}+0${LONG}`;
/** So much more each minute. */
const rising = (by: number) => `0+${by}${LONG}`;

/** Each histogram with one observation a minute, 10 ms long. */
const histogram = (name: string, fast: number, slow: number) => ({
  [`${name}_bucket{le="0.01"}`]: rising(fast),
  [`${name}_bucket{le="3600"}`]: rising(fast + slow),
  [`${name}_bucket{le="+Inf"}`]: rising(fast + slow),
});

const GOOD_DAY: Record<string, string> = {
  up: steady(1),
  hotbags_healthy: steady(1),
  hotbags_oldest_message_wait_seconds: steady(0),
  hotbags_oldest_reply_wait_seconds: steady(0),
  hotbags_backend_reachable: steady(1),
  'hotbags_whatsapp_accounts{state="connected"}': steady(1),
  'hotbags_whatsapp_accounts{state="logged_out"}': steady(0),
  'hotbags_connections_total{peer="whatsapp"}': steady(1),
  hotbags_plugin_connected: steady(1),
  hotbags_gateway_connected: steady(1),
  hotbags_outbox_messages: steady(0),
  hotbags_outbox_parked_messages: steady(0),
  'hotbags_messages{state="dead"}': steady(0),
  'hotbags_commands{state="in_doubt"}': steady(0),
  'hotbags_commands_total{end="failed"}': steady(0),
  'hotbags_frames_refused_total{code="bad_message"}': steady(0),
  'hotbags_frames_refused_total{code="no_file"}': rising(1),
  ...histogram("hotbags_end_to_end_seconds", 1, 0),
  ...histogram("hotbags_store_commit_duration_seconds", 1, 0),
  hotbags_disk_free_bytes: steady(50e9),
  hotbags_disk_low_bytes: steady(1e9),
  hotbags_event_loop_lag_max_seconds: steady(0.01),
  hotbags_ledger_imbalance: steady(0),
};

const CASES: Case[] = [
  { alert: "HotbagsDown", series: { up: steady(0) } },
  { alert: "HotbagsUnhealthy", series: { hotbags_healthy: steady(0) } },
  { alert: "HotbagsMessageWaits", series: { hotbags_oldest_message_wait_seconds: steady(301) } },
  { alert: "HotbagsReplyWaits", series: { hotbags_oldest_reply_wait_seconds: steady(301) } },
  { alert: "HotbagsBackendDown", series: { hotbags_backend_reachable: steady(0) } },
  {
    alert: "HotbagsWhatsAppNeedsYou",
    series: { 'hotbags_whatsapp_accounts{state="logged_out"}': steady(1) },
  },
  {
    alert: "HotbagsWhatsAppAway",
    series: { 'hotbags_whatsapp_accounts{state="connected"}': steady(0) },
  },
  {
    alert: "HotbagsWhatsAppFlaps",
    series: { 'hotbags_connections_total{peer="whatsapp"}': rising(0.2) },
  },
  { alert: "HotbagsPluginAway", series: { hotbags_plugin_connected: steady(0) } },
  { alert: "HotbagsGatewayAway", series: { hotbags_gateway_connected: steady(0) } },
  { alert: "HotbagsOutboxFills", series: { hotbags_outbox_messages: steady(101) } },
  {
    alert: "HotbagsDeadLetters",
    series: { 'hotbags_messages{state="dead"}': steady(1) },
  },
  { alert: "HotbagsPluginDeadLetters", series: { hotbags_outbox_parked_messages: steady(1) } },
  {
    alert: "HotbagsInDoubt",
    series: { 'hotbags_commands{state="in_doubt"}': steady(1) },
  },
  {
    alert: "HotbagsRepliesFail",
    series: { 'hotbags_commands_total{end="failed"}': rising(1) },
  },
  {
    alert: "HotbagsFramesRefused",
    series: { 'hotbags_frames_refused_total{code="bad_message"}': rising(1) },
  },
  { alert: "HotbagsSlow", series: histogram("hotbags_end_to_end_seconds", 1, 1) },
  { alert: "HotbagsDiskLow", series: { hotbags_disk_free_bytes: steady(0.9e9) } },
  { alert: "HotbagsDiskFills", series: { hotbags_disk_free_bytes: `15e9-50e6${LONG}` } },
  {
    alert: "HotbagsStoreSlow",
    series: histogram("hotbags_store_commit_duration_seconds", 1, 1),
  },
  { alert: "HotbagsEventLoopLags", series: { hotbags_event_loop_lag_max_seconds: steady(2) } },
  { alert: "HotbagsLedgerOff", series: { hotbags_ledger_imbalance: steady(-1) } },
];

/** Tests for `promtool test rules`: each case fires its alert and no other, and a good day none. */
export function firesIn() {
  const names = CASES.map(({ alert }) => alert);
  const good = { alert: null, series: {} };
  const tests = [good, ...CASES].map((it) => ({
    interval: "1m",
    input_series: Object.entries({ ...GOOD_DAY, ...it.series }).map(([series, values]) => ({
      series: withTarget(series),
      values,
    })),
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: AT,
        exp_samples: it.alert === null ? [] : [{ labels: `{alertname="${it.alert}"}`, value: 1 }],
      },
    ],
  }));
  return { tests, names };
}

function withTarget(series: string): string {
  const own = Object.entries(TARGET).map(([label, value]) => `${label}="${value}"`);
  const [, name = "", labels = ""] = /^(\w+)(?:\{(.*)\})?$/.exec(series) ?? [];
  return `${name}{${[...own, ...(labels ? [labels] : [])].join(",")}}`;
}
