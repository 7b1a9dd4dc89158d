import type { AuditEntry } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { collect, readSince } from "./list-options.ts";
import { type Column, type Output, say, shortTime, writeJson, writeTable } from "./output.ts";

const COLUMNS: Column<AuditEntry>[] = [
  { title: "at", cell: ({ at }) => shortTime(at) },
  { title: "who", cell: ({ who }) => who, spare: 1 },
  { title: "did", cell: ({ action }) => action },
  { title: "to", cell: ({ kind, subject, chat }) => (subject === 0 ? kind : `${kind} ${chat ?? subject}`) },
  { title: "result", cell: ({ result }) => result },
];

/** `hotbags audit`. */
export async function showAudit(
  operator: Operator,
  { limit, since }: { limit: number; since?: string | undefined },
  output: Output,
): Promise<number> {
  const from = since === undefined ? undefined : readSince(since, Date.now());
  const { rows: entries } = await collect(limit, async (page) => {
    const { entries: rows, next } = await operator.ask("audit", { ...page, since: from });
    return { rows, next, unreadable: [] };
  });
  if (output.json) writeJson(output, entries);
  else if (entries.length === 0) say(output, "Nobody has done anything yet.");
  else writeTable(output, COLUMNS, entries);
  return EXIT.ok;
}
