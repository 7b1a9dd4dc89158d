import type { PreKeyBundle } from "./signal/libsignal.ts";

/** A linked bot, as those see it who write to it. */
export interface Recipient {
  readonly id: string;
  /** Under which name contacts keep their Signal sessions with it: a new link starts with new ones. */
  readonly peer: string;
  /** How often the bot itself went away: it may have been killed, and have lost the newest of its Signal state. */
  readonly departures: number;
  /** Whether contacts open new sessions after the bot has gone away. */
  readonly renewsSessions: boolean;
  readonly keys: { take(): PreKeyBundle };
  /** One clause for messages of errors. */
  describe(): string;
}
