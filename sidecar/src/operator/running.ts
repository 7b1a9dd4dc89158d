import type {
  ChatAddress,
  ConsoleSession,
  OperatorReads,
  OperatorStore,
  Pause,
  PausedChat,
  Role,
} from "../store/index.ts";
import { OperatorError } from "./error.ts";
import type { Input, LoginState, NamedFinding, Output } from "./schemas.ts";

interface MessageWait {
  /** Goes on from "It waits for". */
  reason: string;
  /** Wall-clock ms; null: that hangs on something else. */
  until: number | null;
}

/** Where those are let in who use the console. */
export interface ConsoleDesk {
  /** `who` makes a one-time link for `user`. Resolves with when it is worth nothing any more (wall-clock ms). Rejects with OperatorError. */
  makeLink(user: string, role: Role, who: string): Promise<ConsoleLink>;
  sessions(): Promise<ConsoleSession[]>;
  /** Resolves with whether there was such a session. */
  endSession(id: number, who: string): Promise<boolean>;
}

interface ConsoleLink {
  url: string;
  expiresAt: number;
  /** Where the console listens. */
  port: number;
  /** A reverse proxy stands before it. */
  isProxied: boolean;
}

/** What the API needs of a running sidecar. */
export interface Running {
  store: OperatorStore;
  /** Told of a chat with a message that waits again. */
  onRetry(chat: number): void;
  /** Runs what resolves a doubt; null: not now, since OpenClaw is being asked for it again, and may send it. */
  resolving<Result>(id: number, resolve: () => Promise<Result>): Promise<Result | null>;
  /** Told of a command that is in doubt no more, and of its chat. */
  onResolved(id: number, chat: number): void;
  pause(chat: ChatAddress, pause: Pause): Promise<void>;
  /** Resolves with whether it was paused. */
  resume(chat: ChatAddress): Promise<boolean>;
  /** Why the replies of a chat wait just now, as a sentence; null: they don't, or nobody knows. */
  whyWaits(chat: ChatAddress): Promise<string | null>;
  /** Why a message that is pending waits just now; null: it is about to go. */
  whyMessageWaits(id: number, chat: ChatAddress, isDetached: boolean): Promise<MessageWait | null>;
  config(): Output<"config">;
  reload(who: string): Promise<Output<"reload">>;
  diagnose(testsAlert: boolean): Promise<NamedFinding[]>;
  accounts(): Output<"accounts">;
  /** Resolves with a refusal where the account is connected, or may be. */
  startLogin(accountId: string, who: string): Promise<LoginState>;
  waitLogin(accountId: string, qr: string): Promise<LoginState>;
  /** Null: it is switched off. */
  console: ConsoleDesk | null;
  testAlerts(): Promise<Output<"testAlerts">["channels"]>;
}

/** What the API answers from. */
export interface ApiParts {
  reads: OperatorReads;
  /** Those that last, the oldest first, and `past` ones that are over, the newest first. */
  alerts(past: number): Promise<Output<"alerts">>;
  /** Null: there is a database, but no sidecar runs on it. */
  running: Running | null;
  status(): Promise<Output<"status">>;
  path(): Promise<Output<"path">>;
  figures(range: NonNullable<Input<"figures">["range"]>): Promise<Output<"figures">>;
  pausedChats(): Promise<PausedChat[]>;
}

const NOT_RUNNING = "the sidecar does not run, so that nothing can be changed: start it, and ask again";

/** What anything waits for then. */
export const SIDECAR_STOPPED = "the sidecar, which does not run: it goes on when that is started";

/** Throws OperatorError where no sidecar runs. */
export function runningOf({ running }: ApiParts): Running {
  if (!running) throw new OperatorError(503, NOT_RUNNING);
  return running;
}
