import { FileLostError, type MessageRow } from "../../store/index.ts";
import { OperatorError } from "../error.ts";
import { Picture } from "../picture.ts";
import { type ApiParts, runningOf, SIDECAR_STOPPED } from "../running.ts";
import { MAX_IDS, type messageRoutes } from "../schemas/messages.ts";
import { DEFAULT_LIMIT } from "../schemas/values.ts";
import { ROUTES } from "../schemas.ts";
import type { Answers } from "./answer.ts";
import { showCommand } from "./commands.ts";
import { noteLook } from "./look.ts";
import { each } from "./repairs.ts";
import { instantOf, iso, isoOrNull, readJson, sift } from "./stored.ts";

export function messageAnswers(parts: ApiParts): Answers<keyof typeof messageRoutes> {
  const { reads } = parts;
  return {
    messages: async ({ state, chat, since, account_id, message_id, before, limit = DEFAULT_LIMIT }) => {
      if (message_id !== undefined)
        return { messages: await showAll(parts, await reads.messagesWithId(message_id)), next: null, unreadable: [] };
      const filter = { states: state, chatId: chat, accountId: account_id, since: instantOf(since) };
      const { rows, next, unreadable } = await reads.messages(filter, before ?? null, limit);
      const { sound, unsound } = sift(ROUTES.messages.output.shape.messages.element, await showAll(parts, rows));
      return { messages: sound, next, unreadable: [...unreadable, ...unsound] };
    },

    message: async ({ content }, id, who) => {
      const life = await reads.message(id);
      if (!life) throw new OperatorError(404, `there is no message ${id}`);
      const { request, response, failed_attempts, commands, retries, ...rest } = life;
      const shown = {
        ...(await show(parts, rest)),
        failed_attempts: failed_attempts.map((attempt) => ({ ...attempt, at: iso(attempt.at) })),
        retries: retries.map(({ at, who }) => ({ at: iso(at), who })),
        commands: commands.map(showCommand),
      };
      if (content !== "true") return shown;
      await noteLook(parts, "message", id, who);
      return { ...shown, request: readJson(request), response: readJson(response) };
    },

    retry: async ({ ids }, _id, who) => {
      const { store, onRetry } = runningOf(parts);
      return { results: await each(ids, (id) => store.retry(id, who), onRetry) };
    },

    retryDead: async ({ since, after = 0 }, _id, who) => {
      const { store, onRetry } = runningOf(parts);
      const { ids, next } = await reads.deadSince(Date.parse(since), after, MAX_IDS);
      const results = await each(ids, (id) => store.retry(id, who), onRetry);
      const refused = results.flatMap(({ id, reason }) => (reason === null ? [] : [{ id, reason }]));
      return { retried: results.length - refused.length, refused, next };
    },

    file: async ({ n }, id, who) => {
      const file = await runningOf(parts).store.file(id, n);
      if (!file) throw new OperatorError(404, `message ${id} has no file ${n}, or it is forgotten`);
      await noteLook(parts, "message", id, who, "see a file");
      const picture = await Picture.of(file.bytes, file.read()).catch((error: unknown) => {
        if (error instanceof FileLostError) throw new OperatorError(404, `file ${n} of message ${id} is lost`);
        throw error;
      });
      if (picture === null) throw new OperatorError(415, `file ${n} of message ${id} is no picture that can be shown`);
      return picture;
    },

    discard: async ({ ids }, _id, who) => {
      const { store } = runningOf(parts);
      return {
        results: await each(
          ids,
          (id) => store.discard(id, who),
          () => {},
        ),
      };
    },
  };
}

function showAll<Row extends MessageRow>(parts: ApiParts, rows: Row[]) {
  return Promise.all(rows.map((row) => show(parts, row)));
}

/** With why it waits, of one that does. */
async function show<Row extends MessageRow>(parts: ApiParts, row: Row) {
  const shown = showMessage(row);
  if (row.state !== "pending" && row.state !== "detached") return shown;
  const { running } = parts;
  if (!running) return { ...shown, waits_for: SIDECAR_STOPPED, waits_until: null };
  const chat = { accountId: row.account_id, chatId: row.chat_id };
  const wait = await running.whyMessageWaits(row.id, chat, row.state === "detached");
  return { ...shown, waits_for: wait?.reason ?? null, waits_until: isoOrNull(wait?.until ?? null) };
}

function showMessage<Row extends MessageRow>(row: Row) {
  const { received_at, settled_at, next_attempt_at, is_outbound: _, ...shown } = row;
  return {
    ...shown,
    received_at: iso(received_at),
    settled_at: isoOrNull(settled_at),
    next_attempt_at: isoOrNull(next_attempt_at),
  };
}
