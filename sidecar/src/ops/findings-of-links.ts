import { count, shownId } from "@hotbags/shared";
import { type AccountCode, type AccountState, howToAskPlugin, openclaw } from "../gateway/index.ts";
import { bad, condition, type Finding, good } from "./finding.ts";
import type { HealthParts } from "./health-parts.ts";
import { readVersions } from "./versions.ts";

/** The plugin, the gateway and its WhatsApp accounts. */
export function readFindings(parts: HealthParts): Finding[] {
  return [
    ofGateway(parts),
    ofPlugin(parts),
    ...ofAccounts(parts),
    ...ofContested(parts),
    ofVersions(parts),
    ofOutbox(parts),
  ];
}

function ofPlugin({ gateway, plugin, isOtherWireAround, downMs }: HealthParts): Finding {
  const versions = plugin();
  if (versions) return good("plugin", versions.plugin);
  const isGatewayAway = gateway.state.link === "down";
  const problem = isOtherWireAround() ? OTHER_WIRE : isGatewayAway ? NO_GATEWAY_EITHER : noPlugin();
  return bad("plugin", null, problem, [condition("plugin", sentence(problem), { afterMs: downMs })]);
}

const OTHER_WIRE =
  "the OpenClaw plugin is of another version, which this sidecar does not understand, and is refused: install the plugin and the sidecar of one release, and restart the gateway; messages wait in the plugin's outbox meanwhile";
const NO_GATEWAY_EITHER = "the OpenClaw plugin is not connected: it is a part of the gateway, and comes back with it";
const noPlugin = () => `the OpenClaw plugin is not connected: ${howToAskPlugin()}`;

function ofGateway({ gateway, downMs }: HealthParts): Finding {
  const { link, reason } = gateway.state;
  if (link === "up") return good("gateway", link);
  const problem = reason ?? "the OpenClaw gateway is not connected";
  return bad("gateway", link, problem, [
    condition("gateway", sentence(problem), { afterMs: downMs, details: { link } }),
  ]);
}

function ofAccounts({ gateway, downMs }: HealthParts): Finding[] {
  const { link, accounts } = gateway.state;
  if (link === "up" && accounts.size === 0) {
    const problem =
      "OpenClaw names no WhatsApp account (yet): if this lasts, see channels.whatsapp in its configuration";
    return [
      bad("session_connected", false, problem, [condition("whatsapp_down", sentence(problem), { afterMs: downMs })]),
    ];
  }
  return [...accounts].map(([id, state]) => ofAccount(id, state, downMs));
}

/** One that is not linked gives way within this time, ms. */
const CONTESTED_MS = 15_000;

/** Where several sidecars share a store. */
function ofContested({ store }: HealthParts): Finding[] {
  return store.contested.map(({ account, message }) => {
    const subject = shownId(account);
    // By the one that owns it; the other one's /health says it, too.
    const details = { account: subject };
    const alert = condition("two_gateways", sentence(message), { subject, account, details, afterMs: CONTESTED_MS });
    return bad("two_gateways", true, message, [alert], subject);
  });
}

/** What only the operator can change is told at once. */
const AT_ONCE: Partial<Record<AccountCode, "logged_out" | "replaced">> = {
  logged_out: "logged_out",
  not_linked: "logged_out",
  replaced: "replaced",
};

function ofAccount(id: string, state: AccountState, downMs: number): Finding {
  const account = shownId(id);
  const { code } = state;
  if (code === "connected") return good("session_connected", true, account);
  // The operator's own decision.
  if (code === "disabled") return good("session_connected", false, account);
  const problem = `account ${account}: ${describeAccount(state)}`;
  // Of what nobody can know the gateway is the alert.
  if (code === "unknown") return bad("session_connected", null, problem, [], account);
  const kind = AT_ONCE[code] ?? "whatsapp_down";
  const details = { account, account_state: code };
  const text = `WhatsApp account ${account}: ${describeAccount(state)}`;
  const afterMs = kind === "whatsapp_down" ? downMs : 0;
  return bad(
    "session_connected",
    false,
    problem,
    [condition(kind, text, { subject: account, account: id, details, afterMs })],
    account,
  );
}

export function describeAccount({ sentence: what, action }: AccountState): string {
  return action ? `${what} ${action}` : what;
}

/** Most releases work together all the same: the operator is told, and nothing is unhealthy. */
function ofVersions(parts: HealthParts): Finding {
  const { warnings } = versionsOf(parts);
  const { downMs } = parts;
  const alerts =
    warnings.length === 0 ? [] : [condition("version", sentence(warnings.join("; ")), { afterMs: downMs })];
  return { ...good("other_versions", warnings.length), alerts };
}

export function versionsOf({ plugin, gateway }: HealthParts) {
  return readVersions({
    plugin: plugin()?.plugin ?? null,
    openclaw: gateway.versions.openclaw ?? plugin()?.openclaw ?? null,
    whatsapp: gateway.versions.whatsapp,
  });
}

function ofOutbox({ outbox }: HealthParts): Finding {
  const dead = outbox()?.parked_messages ?? 0;
  if (dead === 0) return good("plugin_dead_letters", dead);
  const problem = `the plugin has ${count(dead, "dead letter")}, not sent by itself: \`${openclaw()} hotbags parked list\` says why, and deals with them`;
  return bad("plugin_dead_letters", dead, problem, [
    condition("plugin_dead_letter", sentence(problem), { amount: dead, details: { count: dead } }),
  ]);
}

/** With a capital, and a full stop. */
function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
