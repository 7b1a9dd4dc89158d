import type { FleetAccount } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { type Column, type Output, say, shortTime, writeJson, writeTable } from "./output.ts";

const COLUMNS: Column<FleetAccount>[] = [
  { title: "account", cell: ({ account_id }) => account_id },
  { title: "sidecar", cell: ({ sidecar }) => sidecar ?? "none" },
  { title: "since", cell: ({ since }) => since && shortTime(since), spare: 1 },
  { title: "messages", cell: ({ waiting }) => waiting },
  { title: "replies", cell: ({ replies_waiting }) => replies_waiting },
  { title: "dead", cell: ({ dead }) => dead },
  { title: "in doubt", cell: ({ replies_in_doubt }) => replies_in_doubt },
  { title: "", cell: noteOf },
];

/** `hotbags fleet`: exit code 1 where an account has no sidecar. */
export async function showFleet(operator: Operator, output: Output): Promise<number> {
  const { shared, accounts } = await operator.ask("fleet", {});
  if (output.json) writeJson(output, { shared, accounts });
  else if (!shared)
    say(output, "This sidecar has its store for itself, and works on all accounts: BRIDGE_STORE is not set.");
  else if (accounts.length === 0) say(output, "No account is known yet: none has had a message or a gateway.");
  else writeTable(output, COLUMNS, accounts);
  return accounts.every(({ sidecar }) => sidecar !== null) ? EXIT.ok : EXIT.no;
}

/** What is not as it should be. */
function noteOf({ sidecar, beside, wanted_by }: FleetAccount): string {
  if (sidecar === null) return wanted_by === null ? "waits for a sidecar" : `is about to be ${wanted_by}'s`;
  if (!beside)
    return wanted_by === null ? "replies wait for the gateway's own sidecar" : `is about to go back to ${wanted_by}`;
  return wanted_by === null ? "" : `the gateway of ${wanted_by} has it, too`;
}
