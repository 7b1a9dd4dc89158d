import { isFurther, outboxEnvelope } from "@hotbags/shared";
import { type Extras, readOutbound } from "../commands/index.ts";
import type { OutboundFromAnswer } from "../store/index.ts";
import { type Misread, readEnvelope } from "./outcome.ts";
import type { Symptom } from "./symptom.ts";

/** What an outbox has said. */
export interface Polled {
  kind: "answered";
  /** How far it goes on: no command of before comes again. */
  cursor: string;
  commands: OutboundFromAnswer[];
}

/** How one question for it ended. */
export type PolledOutcome = Polled | { kind: "failed"; symptom: Symptom };

/** Reads the whole text of a 2xx of the outbox, which was asked for what comes after this cursor. */
export function readOutbox(
  status: number,
  body: string,
  contentType: string,
  extras: Extras,
  after: string,
): Polled | Misread {
  const read = readEnvelope(status, body, contentType, outboxEnvelope);
  if (!read.ok) return read;
  const { cursor = after, commands = [] } = read.envelope ?? {};
  const wrong = (what: string): Misread => ({ ok: false, trouble: "contract", what });
  if (isFurther(after, cursor)) return wrong("a cursor that is behind the one that was asked for: it runs backwards");
  // It would give the same commands for ever.
  if (commands.length > 0 && cursor === after) return wrong("commands, but no further cursor");
  return { kind: "answered", cursor, commands: commands.map((entry) => readOutbound(entry, extras)) };
}
