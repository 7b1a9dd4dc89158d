import { maskAddress } from "./address.ts";
import { otherForm } from "./number-forms.ts";

type Config = Readonly<Record<string, unknown>>;

/**
 * What is wrong in OpenClaw's configuration for a gateway that serves Hot Bags: one sentence each, with the line to
 * write. The plugin, which says it at its start, works on without them, but then OpenClaw may speak to customers, or
 * messages may be joined, delayed or missed. `hotbags doctor` says it whenever it is asked.
 */
export function missingSettings(config: Config): string[] {
  const missing: string[] = [];
  if (!deniesWhatsApp(at(config, "session", "sendPolicy"))) {
    missing.push(
      "OpenClaw itself may answer customers when this plugin fails; add to openclaw.json: " +
        'session: {sendPolicy: {default: "allow", rules: [{action: "deny", match: {channel: "whatsapp"}}]}}',
    );
  }
  if (!tellsNobody(at(config, "agents"))) {
    missing.push(
      "an agent that OpenClaw wakes by itself may write to the first customer in allowFrom; add to openclaw.json: " +
        'agents: {defaults: {heartbeat: {target: "none"}}}',
    );
  }
  if (pairs(at(config, "channels", "whatsapp"))) {
    missing.push(
      "OpenClaw sends pairing codes to customers whom it doesn't know; add to openclaw.json: " +
        'channels: {whatsapp: {dmPolicy: "allowlist"}}, or "open" with allowFrom: ["*"]',
    );
  }
  if (
    at(config, "session", "dmScope") !== "per-channel-peer" &&
    at(config, "session", "dmScope") !== "per-account-channel-peer"
  ) {
    missing.push('all direct chats wait for each other; add to openclaw.json: session: {dmScope: "per-channel-peer"}');
  }
  if (at(config, "channels", "whatsapp") !== undefined && !reportsReceived(at(config, "channels", "whatsapp"))) {
    missing.push(
      "messages that OpenClaw consumes itself, such as stop, do not reach Hot Bags; add to openclaw.json: " +
        "channels: {whatsapp: {pluginHooks: {messageReceived: true}}}",
    );
  }
  if (debounceMs(config) > 0) {
    missing.push(
      "quick messages of one customer are joined into one and the earlier ones lose their ids; add to openclaw.json: " +
        "messages: {inbound: {byChannel: {whatsapp: 0}}}",
    );
  }
  return [...missing, ...numbersInOneForm(at(config, "channels", "whatsapp"))];
}

/** How many numbers a sentence shows. */
const SHOWN_NUMBERS = 3;

/**
 * Numbers that are let in by one of their two forms: WhatsApp may know the customer by the other, and OpenClaw compares
 * them digit by digit, and drops what it doesn't find without a word.
 */
function numbersInOneForm(whatsapp: unknown): string[] {
  const accounts = Object.entries(at(whatsapp, "accounts") ?? {});
  const places: [string, unknown][] = [
    ["channels.whatsapp", whatsapp],
    ...accounts.map(([id, account]): [string, unknown] => [`channels.whatsapp.accounts.${id}`, account]),
  ];
  return places.flatMap(([path, place]) =>
    ["allowFrom", "groupAllowFrom"].flatMap((list) => sentencesOn(`${path}.${list}`, at(place, list))),
  );
}

function sentencesOn(path: string, list: unknown): string[] {
  if (!Array.isArray(list) || list.includes("*")) return [];
  // OpenClaw takes numbers with spaces, without a plus, and as WhatsApp's own address.
  const numbers = new Set(list.map((entry) => `+${String(entry).replace(/@.*/, "").replace(/\D/g, "")}`));
  const lonely = [...numbers].flatMap((number) => {
    const other = otherForm(number);
    return other === undefined || numbers.has(other.number) ? [] : [{ ...other, listed: number }];
  });
  return [...Map.groupBy(lonely, ({ country }) => country).values()].map((alike) => {
    const [{ country, example } = { country: "", example: "" }] = alike;
    const shown = alike.slice(0, SHOWN_NUMBERS).map(({ listed }) => maskAddress(listed));
    const others = alike.length > SHOWN_NUMBERS ? ", …" : "";
    return (
      `WhatsApp may know ${alike.length} customer(s) of ${country} in ${path} (${shown.join(", ")}${others}) by the other ` +
      `form of their number, and then what they write is dropped without a word; list both forms, such as ${example}`
    );
  });
}

/** OpenClaw denies as soon as one rule that matches denies, so an unconditional rule for the channel is enough. */
function deniesWhatsApp(policy: unknown): boolean {
  const rules = at(policy, "rules");
  const denied =
    Array.isArray(rules) && rules.some((rule) => at(rule, "action") === "deny" && isWholeChannel(at(rule, "match")));
  return (
    denied ||
    (at(policy, "default") === "deny" &&
      (!Array.isArray(rules) || rules.every((rule) => at(rule, "action") === "deny")))
  );
}

function isWholeChannel(match: unknown): boolean {
  if (match === undefined || match === null) return true;
  if (typeof match !== "object") return false;
  const conditions = Object.entries(match).filter(([, value]) => value !== undefined);
  return conditions.every(([name, value]) => name === "channel" && String(value).toLowerCase() === "whatsapp");
}

/** Neither `session.sendPolicy` nor `reply_payload_sending` is asked about a heartbeat's words: only its target counts. */
function tellsNobody(agents: unknown): boolean {
  const everywhere = at(agents, "defaults", "heartbeat", "target");
  const perAgent = Object.values(at(agents, "entries") ?? {}).map((agent) => at(agent, "heartbeat", "target"));
  return everywhere === "none" && perAgent.every((target) => (target ?? everywhere) === "none");
}

/** "pairing" is OpenClaw's default. */
function pairs(whatsapp: unknown): boolean {
  if (whatsapp === undefined) return false;
  const everywhere = at(whatsapp, "dmPolicy") ?? "pairing";
  const perAccount = Object.values(at(whatsapp, "accounts") ?? {}).map(
    (account) => at(account, "dmPolicy") ?? everywhere,
  );
  return (perAccount.length === 0 ? [everywhere] : perAccount).includes("pairing");
}

function reportsReceived(whatsapp: unknown): boolean {
  const everywhere = at(whatsapp, "pluginHooks", "messageReceived");
  const accounts = at(whatsapp, "accounts");
  if (typeof accounts !== "object" || accounts === null) return everywhere === true;
  const perAccount = Object.values(accounts).map(
    (account) => at(account, "pluginHooks", "messageReceived") ?? everywhere,
  );
  return perAccount.length === 0 ? everywhere === true : perAccount.every((reports) => reports === true);
}

function debounceMs(config: Config): number {
  const inbound = at(config, "messages", "inbound");
  return Number(at(inbound, "byChannel", "whatsapp") ?? at(inbound, "debounceMs") ?? 0);
}

function at(value: unknown, ...path: string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== "object" || found === null) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}
