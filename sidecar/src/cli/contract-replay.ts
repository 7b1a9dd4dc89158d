import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { codeOf, type RequestBody } from "@hotbags/shared";
import { anonymise } from "../contract/anonymise.ts";
import { Backend, type Posted } from "../contract/backend.ts";
import { testMessage } from "../contract/test-message.ts";
import { ruleFor } from "../relay/rules.ts";
import { readBackend, type Sources } from "./contract-settings.ts";
import { CliError, EXIT } from "./exit-code.ts";
import { type Output, plain, say, writeFacts, writeJson, writeTable } from "./output.ts";
import { findMessage, type Recorded, readRecorded } from "./recorded-message.ts";

/** `hotbags contract replay`: one message to a backend, and what the sidecar would make of the answer. */
export async function replayMessage(
  sources: Sources,
  { what, verbatim }: { what: string; verbatim: boolean },
  recorded: Recorded,
  output: Output,
): Promise<number> {
  const target = readBackend(sources);
  const found = await findMessage(what, recorded);
  const message = verbatim ? found : testMessage(found, `REPLAY-${randomBytes(4).toString("hex")}`, Date.now());
  const body = Buffer.from(JSON.stringify(message));
  const backend = new Backend(target, 1);
  try {
    const key = message.message_id;
    const posted = await backend.post({ key, session: message.transport_session_id, body });
    const where = `${target.url.origin}${target.url.pathname}`;
    const seen = { url: where, message_id: key, bytes: body.length, ...described(posted) };
    if (output.json) writeJson(output, seen);
    else draw(seen, output);
    const isFine = seen.error === null && seen.commands.every(({ becomes }) => becomes === "run");
    return isFine ? EXIT.ok : EXIT.no;
  } finally {
    await backend.close();
  }
}

function described({ outcome, status, durationMs, said }: Posted) {
  const common = { status, duration_ms: durationMs, said };
  if (outcome.kind === "failed") {
    const { symptom } = outcome;
    return { ...common, error: symptom.seen, todo: ruleFor(symptom).advice(symptom), answer: null, commands: [] };
  }
  const commands = outcome.commands.map(({ commandId, type, refusal }) => ({
    ...{ command_id: commandId, type },
    ...{ becomes: refusal === null ? "run" : refusal.state, reason: refusal?.reason ?? null },
  }));
  return { ...common, error: null, todo: null, answer: outcome.response, commands };
}

type Seen = { url: string; message_id: string; bytes: number } & ReturnType<typeof described>;

function draw(
  { url, message_id, bytes, status, duration_ms, said, error, todo, answer, commands }: Seen,
  output: Output,
) {
  writeFacts(output, [
    ["sent", `${bytes} bytes to ${url}, with the key ${message_id}`],
    ["answered", status === null ? "not" : `${status} in ${duration_ms} ms`],
    ["it said", said],
    ["wrong", error],
    ["to do", todo],
    ["answer", answer],
  ]);
  if (error === null && commands.length === 0) say(output, "No commands: nothing would be done.");
  if (commands.length === 0) return;
  output.out.write("\n");
  writeTable(
    output,
    [
      { title: "command_id", cell: ({ command_id }) => command_id },
      { title: "type", cell: ({ type }) => type },
      { title: "would be", cell: ({ becomes }) => becomes },
      { title: "reason", cell: ({ reason }) => reason },
    ],
    commands,
  );
}

/** `hotbags contract record`: a message that the sidecar has, as an example that anybody may see. */
export async function recordMessage(
  { id, out }: { id: string; out?: string | undefined },
  recorded: Recorded,
  output: Output,
): Promise<number> {
  const example: RequestBody = anonymise(await readRecorded(id, recorded));
  const text = `${JSON.stringify(example, null, 2)}\n`;
  if (out === undefined) output.out.write(text);
  else {
    try {
      // Not over a file that is there: it may be the one example that somebody has.
      writeFileSync(out, text, { flag: "wx", mode: 0o600 });
    } catch (error) {
      throw new CliError(EXIT.usage, `${out} can't be written (${codeOf(error) || String(error)})`);
    }
    say(
      output,
      `Written to ${plain(out)}. Its words, numbers and files are made up; look at it before you pass it on.`,
    );
  }
  return EXIT.ok;
}
