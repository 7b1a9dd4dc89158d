import { inspectServer, type ServerInspection } from "../store/index.ts";
import { type Finding, fail, ok, warn } from "./finding.ts";

/** A message with its reply is four transactions of several statements each: more than this, ms, a customer notices. */
const FAR_MS = 20;

/** Whether the store can be in this PostgreSQL. Never rejects. */
export async function inspectDatabaseServer(url: string, stateDir: string): Promise<Finding[]> {
  return read(await inspectServer(url, stateDir));
}

function read(found: ServerInspection): Finding[] {
  if (found.failure !== null)
    return [fail(`the PostgreSQL of BRIDGE_STORE: ${found.failure}`, "hotbags config shows where BRIDGE_STORE is set")];
  const { release, encoding, version, newest, strangeTable, roundTripMs, isEncrypted } = found;
  const wrong: Finding[] = [];
  if (found.isTooOld) wrong.push(fail(`the server is PostgreSQL ${release}`, "the bridge needs 15 or newer"));
  if (encoding !== "UTF8")
    wrong.push(fail(`the texts of the database are in ${encoding}`, "make one with ENCODING 'UTF8', and name that"));
  if (found.isReplica)
    wrong.push(fail("the server is a replica, which takes no writes", "name the primary, or a pooler before it"));
  if (found.isOutdated)
    wrong.push(
      fail(
        `a newer release has brought it to what this one can't go on with (schema ${version}, this one has ${newest})`,
        "install that release",
      ),
    );
  if (found.rewound !== null)
    wrong.push(fail(found.rewound, "stop all sidecars, run hotbags restored, and start them (docs/fleet.md)"));
  if (strangeTable !== null)
    wrong.push(
      fail(`the table ${strangeTable} is another user's`, "name the user in the address that owns the bridge's tables"),
    );
  if ((version === null || version < newest) && !found.mayMakeTables)
    wrong.push(
      fail(
        "the user may make no tables in its schema, and they are to be made at the next start",
        'as the database\'s owner: GRANT CREATE ON SCHEMA public TO "<the user>"',
      ),
    );
  const trip = `a round trip takes ${roundTripMs.toFixed(1)} ms`;
  const far = roundTripMs > FAR_MS ? [warn(trip, "have sidecar and server in one region, or one data centre")] : [];
  const how = isEncrypted === null ? "" : isEncrypted ? ", encrypted" : ", not encrypted";
  const tables = version === null ? "empty: its tables are made at the first start" : `schema ${version} of ${newest}`;
  if (wrong.length > 0) return [...wrong, ...far];
  return [ok(`PostgreSQL ${release}, ${encoding}${how}, ${tables}; ${trip}`), ...far];
}
