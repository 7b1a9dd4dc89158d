import { OperatorError } from "../error.ts";
import { type ApiParts, type ConsoleDesk, runningOf } from "../running.ts";
import type { consoleRoutes } from "../schemas/console.ts";
import type { Answers } from "./answer.ts";
import { iso } from "./stored.ts";

const OFF = "the console is switched off: set BRIDGE_CONSOLE=127.0.0.1:18791 and restart the sidecar (docs/console.md)";

export function consoleAnswers(parts: ApiParts): Answers<keyof typeof consoleRoutes> {
  return {
    makeConsoleLink: async ({ role, user }, _id, who) => {
      const { url, expiresAt, port, isProxied } = await deskOf(parts).makeLink(user ?? who, role, who);
      return { url, expires_at: iso(expiresAt), port, is_proxied: isProxied };
    },

    consoleSessions: async () => ({
      sessions: (await deskOf(parts).sessions()).map(({ id, user, role, made_at, seen_at, expires_at }) => ({
        ...{ id, user, role, created_at: iso(made_at), last_seen_at: iso(seen_at), expires_at: iso(expires_at) },
      })),
    }),

    endConsoleSession: async (_input, id, who) => {
      const wasThere = await deskOf(parts).endSession(id, who);
      if (!wasThere) throw new OperatorError(404, `there is no session ${id} of the console: it may have ended`);
      return {};
    },
  };
}

/** Throws OperatorError. */
function deskOf(parts: ApiParts): ConsoleDesk {
  const { console } = runningOf(parts);
  if (console === null) throw new OperatorError(409, OFF);
  return console;
}
