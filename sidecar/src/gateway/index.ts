export { ACCOUNT_STATES, type AccountCode, type AccountState } from "./account.ts";
export { ChannelStarter } from "./channel-starter.ts";
export { howToAskPlugin, howToLink, openclaw } from "./commands-of-openclaw.ts";
export { type DropVerdict, verdictOnDrop } from "./drop.ts";
export { openGateway } from "./gateway.ts";
export { asWritten, literal } from "./literal.ts";
export type { SendOutcome } from "./outcome.ts";
export { type FirstAsked, type GatewayProcess, stillRemembers } from "./process.ts";
export type { TimeLock } from "./time-lock.ts";
export type {
  Gateway,
  GatewayCall,
  GatewayConfig,
  GatewayDeath,
  GatewayOptions,
  GatewayState,
  GatewayTiming,
  GatewayVersions,
  LinkState,
  LoginStep,
  SendRequest,
  StartOutcome,
  StatusReport,
} from "./types.ts";
export { gatewayUnit, isStarting } from "./unit.ts";
