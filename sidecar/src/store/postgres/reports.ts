import { randomUUID } from "node:crypto";
import { type DeliveryReport, storableJson, transportSessionId } from "@hotbags/shared";
import { type Noted, renderEvent } from "../events.ts";
import type { ReportKind } from "../reports.ts";
import { isForgotten } from "./forgotten.ts";
import { FLEET } from "./lease.ts";

export type { ReportKind } from "../reports.ts";

/** A command that has changed its state, as the statement that did it says. */
export interface CommandChange {
  id: number;
  seq: number;
  account_id: string;
  chat_id: string;
  /** Null: of a command of the outbox. */
  message_id: string | null;
  command_id: string | null;
  owns_id: boolean;
  /** Null: it is new. */
  from: string | null;
  to: string;
  whatsapp_message_id: string | null;
  partial: boolean;
  last_error: string | null;
}

/** What Hot Bags is to be told. The lane of a command's is its number. */
export interface Report {
  kind: ReportKind;
  lane: number;
  key: string;
  account: string;
  body: string;
}

const TOLD = new Set(["sent", "failed", "skipped", "in_doubt"]);

/** Delivery reports of what has changed, in its order. */
export function renderReports(changes: readonly CommandChange[], now: number): Report[] {
  return changes.filter(isTold).map((change) => render(change, now));
}

/** One without an id can't be named; one that has used another's id would be taken for that. */
function isTold({ command_id, chat_id, owns_id, from, to, last_error }: CommandChange): boolean {
  if (command_id === null || !owns_id || isForgotten(command_id) || isForgotten(chat_id)) return false;
  // What is skipped without a reason is done: `pause_chat`.
  if (from === null) return to !== "sent" && TOLD.has(to) && last_error !== null;
  return from !== to && (TOLD.has(to) || from === "in_doubt");
}

/** A command of the outbox that no row stands for. Who leads tells of it. */
export function renderRefused(
  command: { command_id: string; account_id: string; chat_id: string | null; reason: string },
  now: number,
): Report {
  const { reason: last_error, ...address } = command;
  const told = { id: 0, message_id: null, from: null, to: "failed", whatsapp_message_id: null, partial: false };
  return { ...render({ ...told, ...address, last_error }, now), account: FLEET };
}

/** The account that a report is about: one that is told by who leads says so only itself. */
export function accountOf({ account_id, body }: { account_id: string; body: string }): string {
  if (account_id !== FLEET) return account_id;
  return (JSON.parse(body) as Pick<DeliveryReport, "transport_session_id">).transport_session_id.replace(
    transportSessionId(""),
    "",
  );
}

type Told = Omit<CommandChange, "chat_id" | "seq" | "owns_id"> & { chat_id: string | null };

function render(change: Told, now: number): Report {
  const key = randomUUID();
  const { id, account_id, to, from } = change;
  const isResolved = from === "in_doubt";
  const body: DeliveryReport = {
    ...{ report_id: key, command_id: change.command_id ?? "", message_id: change.message_id, chat_id: change.chat_id },
    state: isResolved ? "resolved" : (to as DeliveryReport["state"]),
    outcome: isResolved ? outcomeOf(to) : null,
    is_partial: to === "in_doubt" && change.partial,
    ...{ whatsapp_message_id: change.whatsapp_message_id, reason: to === "sent" ? null : change.last_error },
    timestamp: new Date(now).toISOString(),
    transport_session_id: transportSessionId(account_id),
  };
  return { kind: "command", lane: id, key, account: account_id, body: storableJson(JSON.stringify(body)) };
}

/** What has happened to the bridge. `teller`: whose sidecar tells of it. */
export function eventReport(noted: Noted, teller: string, now: number): Report {
  const key = randomUUID();
  const { lane, body } = renderEvent(noted, key, now);
  return { kind: "event", lane, key, account: teller, body: storableJson(JSON.stringify(body)) };
}

/** What became of what was in doubt. */
function outcomeOf(state: string): DeliveryReport["outcome"] {
  return state === "sent" || state === "failed" ? state : "pending";
}
