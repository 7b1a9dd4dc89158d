import * as z from "zod";
import type { Condition, Reading } from "./condition.ts";
import { ALERTS, type Kind } from "./table.ts";

/** Others of another release may write what this one does not know: that is passed over. */
const kind = z.string().refine((name): name is Kind => isOfFleet(name));
const condition = z.object({
  ...{ kind, subject: z.string(), text: z.string(), afterMs: z.number(), amount: z.number() },
  details: z.record(z.string(), z.union([z.string(), z.number(), z.null()])),
});
const sighting = z.object({ conditions: z.array(z.unknown()), known: z.array(z.string()) });

/** What this sidecar sees of what is the fleet's, for the one that leads. */
export function sightingOf({ conditions, unknown }: Reading): string {
  const known = Object.keys(ALERTS).filter((name) => isOfFleet(name) && !unknown.has(name));
  const seen = conditions.filter((one) => isOfFleet(one.kind)).map(({ account: _, ...one }) => one);
  return JSON.stringify({ conditions: seen, known });
}

/**
 * What all see together: the fleet's is so while any of them says so, and unknown while none can say anything. What the one
 * that leads sees itself it tells in its own words.
 */
export function withSightings(reading: Reading, sightings: readonly string[]): Reading {
  const read = sightings.flatMap((text) => sightingIn(text));
  const conditions = new Map(reading.conditions.map((one) => [keyOf(one), one]));
  for (const one of read.flatMap((its) => its.conditions))
    if (!conditions.has(keyOf(one))) conditions.set(keyOf(one), one);
  const known = new Set<string>(read.flatMap((its) => its.known));
  const unknown = new Set([...reading.unknown].filter((name) => !isOfFleet(name) || !known.has(name)));
  return { ...reading, conditions: [...conditions.values()], unknown };
}

/** What others see can't be read: of what is the fleet's only what is seen here is known. */
export function withoutSightings(reading: Reading): Reading {
  const fleets = (Object.keys(ALERTS) as Kind[]).filter(isOfFleet);
  return { ...reading, unknown: new Set([...reading.unknown, ...fleets]) };
}

function sightingIn(text: string): { conditions: Condition[]; known: string[] }[] {
  const { data } = sighting.safeParse(parsed(text));
  if (!data) return [];
  const conditions = data.conditions.flatMap((one) => condition.safeParse(one).data ?? []);
  return [{ conditions: conditions.map((one) => ({ ...one, account: null })), known: data.known }];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isOfFleet(name: string): name is Kind {
  return name in ALERTS && ALERTS[name as Kind].teller === "fleet";
}

function keyOf({ kind, subject }: Pick<Condition, "kind" | "subject">): string {
  return `${kind} ${subject}`;
}
