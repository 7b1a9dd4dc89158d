import type { AlertRecord } from "../store/index.ts";
import { ALERTS, type AlertKind, type Kind, titleOf } from "./table.ts";

/** Alerts as an operator reads them. */
export function listAlerts({ open, past }: Record<"open" | "past", readonly AlertRecord[]>) {
  return { open: open.map(show), past: past.map(show) };
}

function show({ id, kind, subject, text, since_at, ended_at, returns }: AlertRecord) {
  // One of another release is shown by its name.
  const known: AlertKind | undefined = kind in ALERTS ? ALERTS[kind as Kind] : undefined;
  return {
    ...{ id, kind, subject, severity: known?.severity ?? ("warning" as const) },
    ...{ title: known ? titleOf(kind as Kind, subject) : kind, text },
    ...{ since: new Date(since_at).toISOString(), ended: ended_at === null ? null : new Date(ended_at).toISOString() },
    returns,
  };
}
