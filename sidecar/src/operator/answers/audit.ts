import { maskAddress } from "@hotbags/shared";
import type { ReadEntry } from "../../store/index.ts";
import { type ApiParts, runningOf } from "../running.ts";
import type { auditRoutes } from "../schemas/audit.ts";
import { DEFAULT_LIMIT } from "../schemas/values.ts";
import type { Answers } from "./answer.ts";
import { isKnown, iso } from "./stored.ts";

export function auditAnswers(parts: ApiParts): Answers<keyof typeof auditRoutes> {
  return {
    backedUp: async ({ bytes }, _id, who) => {
      const entry = { who, action: "back up", kind: "backup", subject: 0, result: `done, ${bytes} bytes` } as const;
      await runningOf(parts).store.note(entry);
      return {};
    },

    audit: async ({ before, since, limit = DEFAULT_LIMIT }) => {
      const page = await parts.reads.audit(before ?? null, limit);
      const from = since === undefined ? Number.NEGATIVE_INFINITY : Date.parse(since);
      const entries = page.filter(({ at }) => at >= from);
      const isLast = page.length < limit || entries.length < page.length;
      return { entries: entries.map(showEntry), next: isLast ? null : (page.at(-1)?.id ?? null) };
    },
  };
}

function showEntry({ chat_id, ...entry }: ReadEntry) {
  return { ...entry, at: iso(entry.at), chat: isKnown(chat_id) ? maskAddress(chat_id) : null };
}
