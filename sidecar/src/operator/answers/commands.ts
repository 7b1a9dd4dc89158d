import { shownId, shownName } from "@hotbags/shared";
import type { CommandLife, CommandRow } from "../../store/index.ts";
import { OperatorError } from "../error.ts";
import { withoutQuotes } from "../quotes.ts";
import { type ApiParts, runningOf, SIDECAR_STOPPED } from "../running.ts";
import type { commandRoutes } from "../schemas/commands.ts";
import { DEFAULT_LIMIT } from "../schemas/values.ts";
import { ROUTES } from "../schemas.ts";
import type { Answers } from "./answer.ts";
import { noteLook } from "./look.ts";
import { showRepaired } from "./repairs.ts";
import { instantOf, iso, isoOrNull, readJson, sift } from "./stored.ts";

const BEING_ASKED = "OpenClaw is being asked about it at this moment, and may send it: look again in a minute";

export function commandAnswers(parts: ApiParts): Answers<keyof typeof commandRoutes> {
  const { reads } = parts;
  return {
    commands: async ({ state, chat, since, account_id, command_id, before, limit = DEFAULT_LIMIT }) => {
      if (command_id !== undefined) {
        const row = await reads.commandWithId(command_id);
        return { commands: row ? [showCommand(row)] : [], next: null, unreadable: [] };
      }
      const filter = { states: state, chatId: chat, accountId: account_id, since: instantOf(since) };
      const { rows, next, unreadable } = await reads.commands(filter, before ?? null, limit);
      const { sound, unsound } = sift(ROUTES.commands.output.shape.commands.element, rows.map(showCommand));
      return { commands: sound, next, unreadable: [...unreadable, ...unsound] };
    },

    command: async ({ content }, id, who) => {
      const found = await reads.command(id);
      if (!found) throw new OperatorError(404, `there is no command ${id}`);
      const { text, details, file_bytes, said: heard, ...rest } = found;
      const waits_for = found.state === "pending" ? await whyWaits(parts, found) : undefined;
      const shown = { ...showCommand(rest), waits_for };
      if (content !== "true") return { ...shown, said: heard && (await quoteless(parts, heard, found)) };
      await noteLook(parts, "command", id, who);
      return { ...shown, said: heard, text, details: readJson(details), file_bytes };
    },

    resolve: async ({ as }, id, who) => {
      const { store, onResolved, resolving } = runningOf(parts);
      const repaired = await resolving(id, () => store.resolve(id, as, who));
      if (repaired === null) return { id, done: false, reason: BEING_ASKED };
      if (repaired.done) onResolved(id, repaired.chat);
      else if (!repaired.found) throw new OperatorError(404, `there is no command ${id}`);
      return showRepaired(id, repaired);
    },
  };
}

async function whyWaits({ running }: ApiParts, { account_id, chat_id }: CommandRow): Promise<string | null> {
  return running ? running.whyWaits({ accountId: account_id, chatId: chat_id }) : SIDECAR_STOPPED;
}

/** What the gateway said of a command, without what it quotes of that or of the message that it came back for. */
async function quoteless({ reads }: ApiParts, said: string, { text, message }: CommandLife): Promise<string> {
  const request = readJson((await reads.message(message))?.request ?? null);
  const asked = (request as { text?: unknown } | null)?.text;
  return withoutQuotes(
    said,
    [text, asked].filter((words) => typeof words === "string"),
  );
}

export function showCommand(row: CommandRow) {
  const { created_at, sending_at, settled_at, type, whatsapp_message_id } = row;
  return {
    ...row,
    // Words of Hot Bags and of OpenClaw, who can put anything there.
    type: type && shownName(type),
    whatsapp_message_id: whatsapp_message_id && shownId(whatsapp_message_id),
    created_at: iso(created_at),
    sending_at: isoOrNull(sending_at),
    settled_at: isoOrNull(settled_at),
  };
}
