import { createHash } from "node:crypto";
import type { Message } from "./request.ts";

/** A command as Hot Bags answers it. `text` belongs to `send_text`; other types are for the bridge to skip. */
export type Command = { command_id: string; type: string; text?: string; [field: string]: unknown };

/** The script of answers. What it returns is asked once per message, then replayed for its key. */
export type AnswerScript = (message: Message) => Command[] | Promise<Command[]>;

/** A command together with the key of the message that it answers. */
export type Issued = { key: string; command: Command };

/** What Hot Bags keeps of one idempotency key. */
type Entry = { bodyHash: string; commands: Promise<Command[]> | undefined };

/** Hot Bags' memory of idempotency keys. It outlives stop and start, as a database would. */
export type Ledger = {
  /** Notes an attempt. `duplicate`: the key was seen before; `otherBody`: then, with other bytes. */
  note(key: string, rawBody: Buffer): { duplicate: boolean; otherBody: boolean };
  /** Forgets the body of a key that was too large: the contract has it come again without its files. */
  forget(key: string): void;
  /** The answer for a noted key, worked out once and then the same for ever. `first` says that this call did the work. */
  process(key: string, message: Message, script: AnswerScript): { first: boolean; commands: Promise<Command[]> };
  readonly issued: readonly Issued[];
};

/** `note` writes down a command that was issued, in the list that is given. */
export function createLedger(note: (issued: Issued[], one: Issued) => void): Ledger {
  const entries = new Map<string, Entry>();
  const issued: Issued[] = [];

  const workOut = async (key: string, message: Message, script: AnswerScript): Promise<Command[]> => {
    const commands = await script(message);
    for (const command of commands) note(issued, { key, command });
    return commands;
  };

  return {
    issued,
    note(key, rawBody) {
      const known = entries.get(key);
      const bodyHash = createHash("sha256").update(rawBody).digest("hex");
      if (known !== undefined) return { duplicate: true, otherBody: known.bodyHash !== bodyHash };
      entries.set(key, { bodyHash, commands: undefined });
      return { duplicate: false, otherBody: false };
    },
    forget: (key) => void entries.delete(key),
    process(key, message, script) {
      const entry = entries.get(key);
      if (entry === undefined) throw new Error(`key ${key} was processed before it was noted`);
      const first = entry.commands === undefined;
      entry.commands ??= workOut(key, message, script);
      return { first, commands: entry.commands };
    },
  };
}
