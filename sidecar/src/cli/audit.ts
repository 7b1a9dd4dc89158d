import type { AuditEntry } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { collect } from "./list-options.ts";
import { type Column, type Output, say, shortTime, writeJson, writeTable } from "./output.ts";

const COLUMNS: Column<AuditEntry>[] = [
  { title: "at", cell: ({ at }) => shortTime(at) },
  { title: "who", cell: ({ who }) => who },
  { title: "did", cell: ({ action }) => action },
  { title: "to", cell: ({ kind, subject }) => (subject === 0 ? kind : `${kind} ${subject}`) },
  { title: "result", cell: ({ result }) => result },
];

/** `hotbags audit`. */
export async function showAudit(operator: Operator, limit: number, output: Output): Promise<number> {
  const entries = await collect(limit, async (page) => {
    const { entries: rows, next } = await operator.ask("audit", page);
    return { rows, next };
  });
  if (output.json) writeJson(output, entries);
  else if (entries.length === 0) say(output, "Nobody has done anything yet.");
  else writeTable(output, COLUMNS, entries);
  return EXIT.ok;
}
