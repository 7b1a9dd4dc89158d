export type { AlertReads, AlertRecord, AlertStore, NoticeRecord, Sightings, Teller } from "./alerts.ts";
export type { Change } from "./changes.ts";
export type {
  AnswerTimes,
  CommandFromResponse,
  DoubtfulCommand,
  HandOver,
  NextCommand,
  RecordedCommand,
  SettledState,
  WaitingCommand,
} from "./commands.ts";
export {
  type ConsoleLink,
  type ConsoleSession,
  type ConsoleStore,
  IDLE_MS,
  LINK_MS,
  MAX_SESSIONS,
  type Role,
  SESSION_MS,
} from "./console.ts";
export type { CounterName } from "./counters.ts";
export type { Connection, Downtime, RecordedDowntime } from "./downtimes.ts";
export {
  DAMAGED,
  FileMissingError,
  isDamage,
  NotOwnedError,
  RESTORE,
  RowUnreadableError,
  StoreAwayError,
  StoreUnusableError,
  StoreUnwritableError,
} from "./errors.ts";
export { beginOf, type Figure, type FigureReads, type FigureStore, type Step } from "./figures.ts";
export { type Files, type Received, readStoredFile } from "./files.ts";
export type { FleetAccount } from "./fleet.ts";
export type { HandoverEnd } from "./handovers.ts";
export { base64Length, type InlinedFile } from "./lay-out.ts";
export { DEFAULT_MEDIA_LIMITS, type MediaLimits } from "./limits.ts";
export type { AccountLook, Counts, CountsOf, Failure, Look } from "./look.ts";
export type { Accepted, AttemptRow, PendingMessage } from "./messages.ts";
export {
  canonical,
  hashRow,
  keyOf,
  type Ledger,
  MOVED_TABLES,
  type MovedTable,
  MoveRefusedError,
  type MovingRoom,
  type MovingSource,
  type MovingTarget,
  newChecksum,
  type Row,
} from "./moving.ts";
export { inspectServer, movingPostgres, openStoreAt, restoredPostgres, type StorePlace, viewStoreAt } from "./open.ts";
export type {
  AuditEntry,
  ChatRow,
  CommandFilter,
  CommandLife,
  CommandRow,
  CommandState,
  Erased,
  ErasureRequest,
  MessageFilter,
  MessageRow,
  MessageState,
  OperatorReads,
  OperatorStore,
  Page,
  ReadEntry,
  Repaired,
  Resolution,
  SpokenCommand,
  SpokenMessage,
  WholeMessage,
} from "./operator.ts";
export type { Damage, Outage } from "./outage.ts";
export { MAX_OUTBOUND_WAITING, type OutboundFromAnswer, type OutboundStore } from "./outbound.ts";
export type { OutboundRules } from "./outbound-rules.ts";
export type { ChatAddress, ChatOrder, Pause, PausedChat } from "./pauses.ts";
export { FileLostError } from "./read-file.ts";
export type { ReportStore, WaitingReport } from "./reports.ts";
export { type Doubted, RestoreRefusedError, type RestoreTimes } from "./restored.ts";
export type { Keep } from "./retention.ts";
export type { ServerInspection } from "./server-inspection.ts";
export { openStore, viewStore } from "./sqlite/index.ts";
export { type Inspection, inspectStore } from "./sqlite/inspection.ts";
export { SCHEMA } from "./sqlite/migrations/index.ts";
export { storeLeftBehind } from "./sqlite/moves.ts";
export { openSqliteSource } from "./sqlite/moving/source.ts";
export { openSqliteTarget, undoMove } from "./sqlite/moving/target.ts";
export { makeRestored } from "./sqlite/restored.ts";
export { type Progress, type Snapshot, storeBytes, takeSnapshot } from "./sqlite/snapshot.ts";
export { holdState, type IdleState } from "./sqlite/swap.ts";
export type { Contested, SharedStore, Store, StoreView } from "./store.ts";
export { addBeside, addTally, type Durations, emptyTally, type Hop, type Tally } from "./tally.ts";
