import { hostname, userInfo } from "node:os";
import type { Output as Answer, ConsoleSession } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { type Column, type Output, say, shortTime, writeJson, writeTable, writeText } from "./output.ts";

const COLUMNS: Column<ConsoleSession>[] = [
  { title: "id", cell: ({ id }) => id },
  { title: "user", cell: ({ user }) => user },
  { title: "may", cell: ({ role }) => role },
  { title: "since", cell: ({ created_at }) => shortTime(created_at), spare: 1 },
  { title: "used last", cell: ({ last_seen_at }) => shortTime(last_seen_at) },
  { title: "until", cell: ({ expires_at }) => shortTime(expires_at), spare: 2 },
];

/** `hotbags console`. */
export async function makeConsoleLink(
  operator: Operator,
  { role, user }: { role: "look" | "act"; user?: string | undefined },
  output: Output,
): Promise<number> {
  const link = await operator.ask("makeConsoleLink", { role, user });
  if (output.json) writeJson(output, link);
  else describe(link, output);
  return EXIT.ok;
}

function describe({ url, expires_at, port, is_proxied }: Answer<"makeConsoleLink">, output: Output): void {
  output.out.write(`${url}\n`);
  say(
    output,
    `Open it in a browser until ${shortTime(expires_at)}. It can be used once: whoever opens it first is in.`,
  );
  if (is_proxied) return;
  writeText(
    { ...output, out: output.err },
    `\nNo browser on this machine? On the one that has it, run this first, and leave it open:\n` +
      `  ssh -L ${port}:localhost:${port} ${userInfo().username}@${hostname()}`,
  );
}

/** `hotbags console sessions`. */
export async function listConsoleSessions(operator: Operator, output: Output): Promise<number> {
  const { sessions } = await operator.ask("consoleSessions", {});
  if (output.json) writeJson(output, sessions);
  else if (sessions.length === 0) say(output, "Nobody is logged in to the console.");
  else writeTable(output, COLUMNS, sessions);
  return EXIT.ok;
}

/** `hotbags console end`. */
export async function endConsoleSession(operator: Operator, id: number, output: Output): Promise<number> {
  await operator.ask("endConsoleSession", {}, id);
  if (output.json) writeJson(output, { id, done: true });
  else say(output, `Session ${id} of the console is ended.`);
  return EXIT.ok;
}
