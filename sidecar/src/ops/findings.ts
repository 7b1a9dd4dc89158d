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

/** The same while a shared database is away, which `store` says: of the rest, what is not in it. */
export function readFindingsWithout(parts: HealthParts, store: Finding): Finding[] {
  return [store, ...machine.readFindingsBeside(parts), ...links.readFindings(parts)];
}

/** What a gateway says of its accounts, and what is known of sending to them. */
const FROM_THE_GATEWAY: readonly Kind[] = [
  "logged_out",
  "replaced",
  "whatsapp_down",
  "replies_refused",
  "number",
  "lock",
];
const NONE: ReadonlySet<Kind> = new Set();

/**
 * Of each account that was looked at, kinds of which nothing can be said besides: our own gateway does not have it. `isNamed`:
 * whether it ever did, as far as this process has seen; then it is known that it has it no more.
 */
export function unknownOfAccounts(
  { accounts }: Pick<Look, "accounts">,
  isNamed: (account: string) => boolean,
): Map<string, ReadonlySet<Kind>> {
  const unseen = new Set(FROM_THE_GATEWAY);
  return new Map((accounts ?? []).map(({ account }) => [account, isNamed(account) ? NONE : unseen]));
}

/** Kinds of which nothing can be said now: after a start, or where somebody is away who would have to say it. */
export function unknownKinds({ gateway, relay, plugin, outbox, disk, quiet, hotbags }: HealthParts): Set<Kind> {
  const unknown = new Set<Kind>();
  const { lastSuccessAt, alarms } = relay.status;
  if (lastSuccessAt === null && alarms.length === 0) unknown.add("hot_bags");
  if (gateway.state.link !== "up" || gateway.state.accounts.size === 0) {
    // A gateway that is away says nothing of WhatsApp, and no reply goes out meanwhile.
    for (const kind of FROM_THE_GATEWAY) unknown.add(kind);
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
