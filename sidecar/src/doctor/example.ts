import JSON5 from "json5";

/**
 * What every shop has otherwise (marked CHANGE in the example), or may: what is below is not compared. Whether the
 * shop's own values will do is for `missingSettings` to say.
 */
const OWN = [
  "gateway.port",
  "gateway.auth.token",
  "channels.whatsapp.dmPolicy",
  "channels.whatsapp.allowFrom",
  "channels.whatsapp.groupPolicy",
  "channels.whatsapp.groupAllowFrom",
  "channels.whatsapp.groups",
  "channels.whatsapp.sendReadReceipts",
  "channels.whatsapp.mediaMaxMb",
  "plugins.load",
  "plugins.entries.hotbags.config.sidecarUrl",
  "plugins.entries.hotbags.config.token",
  // Judged by `missingSettings`, which knows more than one good value.
  "session.dmScope",
  "session.sendPolicy",
  "messages.inbound",
  "agents.defaults.heartbeat",
  "channels.whatsapp.pluginHooks",
];

/** What the example switches off, and Hot Bags' `react` needs. */
const REACTIONS = { "channels.whatsapp.actions.reactions": true, "channels.whatsapp.reactionLevel": "minimal" };

/**
 * Lines of the example that a configuration lacks or has otherwise, as they stand in it: `cron.enabled: false`. Where Hot
 * Bags `mayReact`, in those about reactions what that needs counts.
 */
export function differences(config: object, example: string, mayReact: boolean): string[] {
  return linesOf(JSON5.parse(example), "").flatMap(([path, usual]) => {
    const value = (mayReact && REACTIONS[path as keyof typeof REACTIONS]) || usual;
    const isOwn = OWN.some((own) => path === own || path.startsWith(`${own}.`));
    return isOwn || isSame(at(config, path), value) ? [] : [`${path}: ${JSON.stringify(value)}`];
  });
}

/** Everything that is no object, with the path to it; an empty object is a line as well. */
function linesOf(value: unknown, path: string): [string, unknown][] {
  const entries = isObject(value) ? Object.entries(value) : [];
  if (entries.length === 0) return [[path, value]];
  return entries.flatMap(([key, inner]) => linesOf(inner, path === "" ? key : `${path}.${key}`));
}

/** A list may have more than the example's; an object that is empty there may have anything. */
function isSame(found: unknown, wanted: unknown): boolean {
  if (Array.isArray(wanted)) return Array.isArray(found) && wanted.every((one) => found.includes(one));
  if (isObject(wanted)) return isObject(found);
  return found === wanted;
}

function at(config: unknown, path: string): unknown {
  return path.split(".").reduce((found: unknown, key) => (isObject(found) ? found[key] : undefined), config);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
