import { ALERTS, type AlertKind } from "../../sidecar/src/alerts/table.ts";

/** All kinds of alerts as a Markdown table, in the order of a message's way. */
export function drawAlerts(): string {
  const rows = Object.entries(ALERTS).map(([kind, { severity, teller, starts, ends, advice }]: [string, AlertKind]) =>
    line([`\`${kind}\``, severity, teller, starts, ends ?? "(it has happened, and has no end)", advice]),
  );
  return [line(["kind", "severity", "whose", "starts", "ends", "what to do"]), `|${"---|".repeat(6)}`, ...rows].join(
    "\n",
  );
}

function line(cells: string[]): string {
  return `| ${cells.join(" | ")} |`;
}
