import { createHash, type Hash } from "node:crypto";

// What of a store goes over when it is moved from one room into the other: its tables, in words that both rooms know. Each
// room gives its rows in these, and takes them; what only PostgreSQL has beside them, it makes of them itself.

/** A value as both rooms give it. Flags are 0 and 1. */
export type Value = string | number | Buffer | null;

/** The values of a table's columns, in their order. */
export type Row = readonly Value[];

type Kind = "integer" | "text" | "bytes" | "flag";

/** One table of what is moved. */
export interface MovedTable {
  readonly name: string;
  /** So many of the first columns name a row. Rows are given in their order. */
  readonly key: 1 | 2;
  readonly columns: Readonly<Record<string, Kind>>;
  /** A few rows, whatever happens: given at once. Of all accounts together, where a room knows them by account. */
  readonly isSmall?: true;
}

const times = { made_at: "integer", made: "integer" } as const;

/** In the order in which they are written: a row comes after those that it names. */
export const MOVED_TABLES = [
  { name: "chats", key: 1, columns: { chat: "integer", account_id: "text", chat_id: "text" } },
  {
    name: "messages",
    key: 1,
    columns: {
      ...{ seq: "integer", chat: "integer", message_id: "text", state: "text", detached: "flag", attempts: "integer" },
      ...{ retrying_ms: "integer", received_at: "integer", last_attempt_at: "integer", next_attempt_at: "integer" },
      ...{ settled_at: "integer", status: "integer", last_error: "text", has_text: "flag", state_since: "integer" },
      ...{ duration_ms: "integer", discarded_at: "integer", maybe_answered: "flag", outbound: "text" },
    },
  },
  { name: "payloads", key: 1, columns: { seq: "integer", request: "text", response: "text" } },
  {
    name: "media",
    key: 2,
    columns: {
      ...{ seq: "integer", position: "integer", sha256: "text", size_bytes: "integer", place: "integer" },
      delivered_at: "integer",
    },
  },
  {
    name: "attempts",
    key: 2,
    columns: {
      ...{
        seq: "integer",
        attempt: "integer",
        at: "integer",
        duration_ms: "integer",
        status: "integer",
        error: "text",
      },
    },
  },
  {
    name: "commands",
    key: 1,
    columns: {
      ...{ id: "integer", seq: "integer", chat: "integer", position: "integer", command_id: "text", type: "text" },
      ...{ text: "text", details: "text", file: "bytes", payload_sha256: "text", state: "text", owns_id: "flag" },
      ...{ created_at: "integer", sending_at: "integer", sending_boot_ms: "integer", gateway_process: "text" },
      ...{ settled_at: "integer", whatsapp_message_id: "text", partial: "flag", last_error: "text", said: "text" },
      ...{ asked_process: "text", alarmed_at: "integer" },
    },
  },
  { name: "passed_over_messages", key: 1, columns: { seq: "integer" } },
  { name: "passed_over_commands", key: 1, columns: { id: "integer" } },
  {
    name: "pauses",
    key: 2,
    columns: { chat: "integer", by: "text", until_at: "integer", after_command: "integer", replies: "text" },
  },
  {
    name: "reports",
    key: 1,
    columns: {
      ...{ id: "integer", kind: "text", lane: "integer", key: "text", account_id: "text", body: "text" },
      ...{ made_at: "integer", attempts: "integer", next_attempt_at: "integer" },
    },
  },
  {
    name: "downtimes",
    key: 1,
    columns: {
      ...{ id: "integer", account_id: "text", from_at: "integer", to_at: "integer", clock_jump_ms: "integer" },
      ...{ noticed_at: "integer", alerted_at: "integer" },
    },
  },
  {
    name: "audit",
    key: 1,
    columns: {
      ...{
        id: "integer",
        at: "integer",
        who: "text",
        action: "text",
        kind: "text",
        subject: "integer",
        result: "text",
      },
    },
  },
  {
    name: "restores",
    key: 1,
    columns: { id: "integer", made_at: "integer", restored_at: "integer", lost_until: "integer", reported: "flag" },
  },
  { name: "erasure", key: 1, isSmall: true, columns: { id: "integer", secret: "bytes" } },
  { name: "outbox_cursors", key: 1, isSmall: true, columns: { path: "text", cursor: "text", is_behind: "flag" } },
  {
    name: "connections",
    key: 1,
    isSmall: true,
    columns: {
      ...{ account_id: "text", gateway_process: "text", started_at: "integer", connected_at: "integer" },
      ...{ last_inbound_at: "integer", state: "text", alive_at: "integer" },
    },
  },
  {
    name: "console_links",
    key: 1,
    isSmall: true,
    columns: { token_sha256: "bytes", user: "text", role: "text", ...times },
  },
  {
    name: "console_sessions",
    key: 1,
    isSmall: true,
    columns: {
      ...{ id: "integer", token_sha256: "bytes", user: "text", role: "text", ...times },
      ...{ seen_at: "integer", seen: "integer" },
    },
  },
  // The last number that a session had: the audit names them by it, so none is given twice.
  { name: "console_numbers", key: 1, isSmall: true, columns: { id: "integer", last: "integer" } },
  { name: "counters", key: 1, isSmall: true, columns: { name: "text", value: "integer" } },
  {
    name: "failures",
    key: 1,
    isSmall: true,
    columns: { kind: "text", at: "integer", message_id: "text", reason: "text", count: "integer" },
  },
  { name: "figures", key: 1, isSmall: true, columns: { place: "integer", at: "integer", tally: "text" } },
  {
    name: "alerts",
    key: 1,
    isSmall: true,
    columns: {
      ...{ id: "text", kind: "text", subject: "text", text: "text", details: "text", since_at: "integer" },
      ...{ since: "integer", away_since: "integer", told_at: "integer", told_amount: "integer", returns: "integer" },
      ...{ is_reopened: "flag", ended_at: "integer", ended: "integer" },
    },
  },
  {
    name: "notices",
    key: 2,
    isSmall: true,
    columns: { channel: "text", number: "integer", told_at: "integer", notice: "text" },
  },
] as const satisfies readonly MovedTable[];

export type MovedName = (typeof MOVED_TABLES)[number]["name"];

/** At the most in one page, which is one transaction. One row alone may be larger. */
export const PAGE_ROWS = 1_000;
export const PAGE_BYTES = 4 * 1024 ** 2;

/** What must be the same in both rooms, as a name and a number or a hash. */
export type Ledger = ReadonlyMap<string, string | number>;

/** A room of the store that nobody works on, as it is read to be moved. */
export interface MovingRoom {
  /** For people, without a secret: what it is and where. */
  readonly name: string;
  /** How many rows a table has. */
  count(table: MovedTable): Promise<number>;
  /** Rows behind this key, in the order of their keys, PAGE_ROWS or PAGE_BYTES at the most; none: that is all. */
  page(table: MovedTable, after: Row | null): Promise<Row[]>;
  /** How many messages and commands of which account are in which state, which ids there are, and the order by chat. */
  ledger(): Promise<Ledger>;
  /** The time that has surely passed, ms: see ProvenTime. */
  provenNow(): Promise<number>;
  close(): Promise<void>;
}

/** Where a store is moved from. */
export interface MovingSource extends MovingRoom {
  /**
   * No sidecar begins on it as long as this process is at it. Resolves with which store it is in which state: another
   * text after anything was written. `to`: where it goes. Rejects where it went somewhere else before.
   */
  hold(to: string): Promise<string>;
  /**
   * Brings attachments that wait with a message from where only this room has them into the folder of this machine. Resolves
   * with how many. What can't be had is left out: its message says so when it goes.
   */
  bringFiles(): Promise<number>;
  /**
   * No sidecar begins on it from now on. Rejects, with nothing changed, where something was written since that
   * fingerprint.
   */
  leave(to: string, fingerprint: string): Promise<void>;
}

/** How far a table was written. */
export interface Written {
  readonly rows: number;
  /** The key of the last row; null: none was written. */
  readonly after: Row | null;
}

/** What a move finds where it goes to. */
export interface Begun {
  /** Nothing is left to do; all is here, and was compared; or it goes on from what was written. */
  stage: "arrived" | "whole" | "copying";
  written: ReadonlyMap<string, Written>;
}

/** Where a store is moved to. */
export interface MovingTarget extends MovingRoom {
  /** Takes up the move of this source, or begins one. From then on no sidecar begins on it until `arrive`. */
  begin(source: { name: string; fingerprint: string }): Promise<Begun>;
  /** Writes rows, with how far that is, in one transaction. */
  put(table: MovedTable, rows: readonly Row[], written: Written): Promise<void>;
  /** All that was written is gone. */
  clear(): Promise<void>;
  /**
   * It is whole: from now on it is the store. `leave`: ends the life of the source, right before; a crash in between leaves
   * none of both to a sidecar, until this is done again.
   */
  arrive(arrival: Arrival, leave: () => Promise<void>): Promise<void>;
}

/** What is written down when a store has arrived. */
export interface Arrival {
  /** See MovingRoom. */
  provenNow: number;
  /** Who moved it, and what, for the audit. */
  who: string;
  result: string;
}

/** Who tells of alerts of a kind, where several share a store. */
export type TellerOf = (kind: string) => "account" | "fleet" | "machine";

/** A move was not made, or not to its end. The message says why and what to do. Nothing is lost. */
export class MoveRefusedError extends Error {
  override readonly name = "MoveRefusedError";
}

/** The columns of a table, in their order. */
export function columnsOf({ columns }: MovedTable): [name: string, kind: Kind][] {
  return Object.entries(columns);
}

export function keyOf({ key }: MovedTable, row: Row): Row {
  return row.slice(0, key);
}

/** About how many bytes a row has. */
export function bytesOf(row: Row): number {
  let bytes = 0;
  for (const value of row) bytes += typeof value === "string" || Buffer.isBuffer(value) ? value.length : 8;
  return bytes;
}

/** A row as it is compared, and hashed. */
export function canonical(row: Row): string {
  return JSON.stringify(row.map((value) => (Buffer.isBuffer(value) ? { hex: value.toString("hex") } : value)));
}

/** Adds a row to a checksum. */
export function hashRow(hash: Hash, text: string): void {
  hash.update(text).update("\n");
}

export const newChecksum = () => createHash("sha256");
