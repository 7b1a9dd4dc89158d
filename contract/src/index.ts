export { eventExamples, examples, outboxExamples, reportExamples } from "./generated/examples.ts";
export { schemas } from "./generated/schemas.ts";
export type {
  Answer,
  Attachment,
  BridgeEvent,
  Command,
  DeliveryReport,
  InboundRequest,
  OutboxAnswer,
  OutboxCommand,
  OutboxPauseChat,
  OutboxReact,
  OutboxResumeChat,
  OutboxSendMedia,
  OutboxSendText,
  PauseChat,
  React,
  ResumeChat,
  SendMedia,
  SendText,
} from "./generated/types.ts";
export { sign, verifySignature } from "./signature.ts";
export { signWebhook, verifyWebhook, WEBHOOK_TOLERANCE_SECONDS, type WebhookHeaders } from "./webhook.ts";
