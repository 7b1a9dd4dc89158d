import type { Kind } from "../alerts/table.ts";
import type { Look } from "../store/index.ts";
import type { Finding } from "./finding.ts";
import * as customers from "./findings-of-customers.ts";
import * as links from "./findings-of-links.ts";
import * as machine from "./findings-of-machine.ts";
import type { HealthParts } from "./health-parts.ts";

/** All that is looked at, in the order in which `/health` names it. */
export function readFindings(parts: HealthParts, look: Look): Finding[] {
  return [...machine.readFindings(parts, look), ...links.readFindings(parts), ...customers.readFindings(parts, look)];
}

/** Kinds of which nothing can be said now: after a start, or where somebody is away who would have to say it. */
export function unknownKinds({ gateway, relay, plugin, outbox, disk, quiet, hotbags }: HealthParts): Set<Kind> {
  const unknown = new Set<Kind>();
  const { lastSuccessAt, alarms } = relay.status;
  if (lastSuccessAt === null && alarms.length === 0) unknown.add("hot_bags");
  if (gateway.state.link !== "up" || gateway.state.accounts.size === 0) {
    // A gateway that is away says nothing of WhatsApp, and no reply goes out meanwhile.
    const kinds = ["logged_out", "replaced", "whatsapp_down", "replies_refused", "number", "lock"] as const;
    for (const kind of kinds) unknown.add(kind);
  }
  const someUnknown = [...gateway.state.accounts.values()].some(({ code }) => code === "unknown");
  if (someUnknown) for (const kind of ["logged_out", "replaced", "whatsapp_down"] as const) unknown.add(kind);
  if (plugin() === null) unknown.add("version");
  if (outbox() === null) unknown.add("plugin_dead_letter");
  if (disk.status.freeBytes === null) unknown.add("disk");
  if (!quiet.isKnown) unknown.add("quiet");
  if (hotbags.certificateEndsAt === null) unknown.add("certificate");
  return unknown;
}
