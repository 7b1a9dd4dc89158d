export { accountId, chatId, e164, groupId, maskAddress, transportSessionId } from "./address.ts";
export { isAlive } from "./alive.ts";
export { type Backoff, backoffMs, steadyBackoffMs } from "./backoff.ts";
export {
  INBOUND_PATH,
  type OutgoingItem,
  type PauseReplies,
  parseAnswer,
  pauseReplies,
  renderBody,
  responseEnvelope,
} from "./contract.ts";
export { count } from "./count.ts";
export { DEFAULT_LOW_DISK_BYTES, freeBytesAt, shownSize } from "./disk.ts";
export { codeOf, isShortage } from "./errors.ts";
export { failpoint } from "./failpoint.ts";
export { missingSettings } from "./gateway-settings.ts";
export { keyOfId, MAX_ID_LENGTH } from "./key.ts";
export {
  MAX_BODY_BYTES,
  MAX_COMMANDS,
  MAX_CREDIT,
  MAX_FILE_BYTES,
  MAX_FRAME_BYTES,
  MAX_FRAME_READ_BYTES,
  MAX_MEDIA_ITEMS,
  MAX_PAUSE_SECONDS,
  MAX_RAW_BYTES,
  MEDIA_PATH,
} from "./limits.ts";
export { LogThrottle } from "./log-throttle.ts";
export { isLoopback } from "./loopback.ts";
export {
  type InboundMessage,
  inboundMessage,
  type MediaItem,
  mediaItem,
  OMITTED,
  type Omitted,
  sha256,
} from "./message.ts";
export { otherForm } from "./number-forms.ts";
export {
  cursor,
  FIRST_CURSOR,
  isFurther,
  OUTBOX_PATH,
  type OutboxAddress,
  outboxAddress,
  outboxEnvelope,
} from "./outbox.ts";
export { maskedLine, reasonOf, safeReason } from "./reason.ts";
export {
  type BridgeEvent,
  bridgeEvent,
  type DeliveryReport,
  deliveryReport,
  EVENTS_PATH,
  REPORTS_PATH,
} from "./report.ts";
export { CONTRACT_VERSION, type RequestBody, requestBody } from "./request.ts";
export { shownId, shownName, shownVersion } from "./shown.ts";
export { DatabaseRefusedError, readPragma, setUpDatabase } from "./sqlite.ts";
export { storableJson, storableText } from "./storable.ts";
export { syncFolder } from "./sync-folder.ts";
export { TESTED, VERSION } from "./version.ts";
export {
  describeIssues,
  type Parsed,
  type PluginFrame,
  parseFrame,
  pluginFrame,
  type RefusalCode,
  refusalCode,
  type SidecarFrame,
  sidecarFrame,
  WIRE_VERSION,
} from "./wire.ts";
