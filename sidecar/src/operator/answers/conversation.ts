import { shownName } from "@hotbags/shared";
import * as z from "zod";
import type { SpokenCommand, SpokenMessage } from "../../store/index.ts";
import type { Output } from "../schemas.ts";
import { iso } from "./stored.ts";

type Entry = Output<"conversation">["entries"][number];

const file = { mime_type: z.string().nullish(), file_name: z.string().nullish() };

/** What is read of a stored request; a damaged one says nothing. */
const request = z.object({
  text: z.string(),
  media: z.array(z.object({ ...file, type: z.string(), size_bytes: z.int().nullish() })),
});

/** And of what a command says besides its text. */
const details = z.object(file);

/** `showsContent`: with what was said. */
export function heard(message: SpokenMessage, showsContent: boolean): Entry {
  const said = request.safeParse(parsed(message.request)).data;
  const files = said?.media.map(({ mime_type, type, size_bytes, file_name }, n) => ({
    ...{ n, type: mime_type ?? type, bytes: size_bytes ?? null },
    name: showsContent ? (file_name ?? null) : null,
  }));
  return {
    ...{ kind: "in", at: iso(message.received_at), message: message.id, command: null, state: stateOf(message) },
    type: said ? (said.media[0]?.type ?? "text") : null,
    text: showsContent ? (said?.text ?? null) : null,
    files: files ?? [],
  };
}

/** The same of a command that came back for a message. */
export function replied(command: SpokenCommand, message: number, showsContent: boolean): Entry {
  const { id, type, state, text, file_bytes: bytes } = command;
  const said = details.safeParse(parsed(command.details)).data;
  const name = showsContent ? (said?.file_name ?? null) : null;
  return {
    ...{ kind: "out", at: iso(command.settled_at ?? command.sending_at ?? command.created_at), message },
    ...{ command: id, state, type: type && shownName(type), text: showsContent ? text : null },
    files: bytes === null ? [] : [{ n: 0, type: said?.mime_type ?? null, bytes, name }],
  };
}

/** As a list has it. */
function stateOf({ state, detached, discarded_at }: SpokenMessage): string {
  if (discarded_at !== null) return "discarded";
  return state === "pending" && detached === 1 ? "detached" : state;
}

function parsed(text: string | null): unknown {
  try {
    return text === null ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
