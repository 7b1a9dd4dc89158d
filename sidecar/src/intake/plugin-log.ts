import { LogThrottle, type RefusalCode } from "@hotbags/shared";
import type { Logger } from "pino";
import { NotOwnedError } from "../store/index.ts";
import { LogBudget } from "./log-budget.ts";

/** A plugin that was refused for its version comes again within this time, ms: twice its longest wait. */
const COMES_AGAIN_MS = 60_000;

/**
 * What the log says of plugins. One for all their connections: whoever has the token may still be broken, or of another
 * release, and say the same a thousand times a second, on one connection or on as many.
 */
export class PluginLog {
  readonly #log: Logger;
  readonly #refused = new LogBudget();
  readonly #came = new LogBudget();
  readonly #went = new LogBudget();
  readonly #broke = new LogBudget();
  readonly #repeated = new LogBudget();
  readonly #notStored = new LogThrottle();
  readonly #notOwned = new LogThrottle();
  #otherWireAt = Number.NEGATIVE_INFINITY;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** One that speaks another version of the wire comes, and is refused, now and then. */
  get isOtherWireAround(): boolean {
    return performance.now() - this.#otherWireAt < COMES_AGAIN_MS;
  }

  /** The log of what happens to one message, once to each. */
  get messages(): Logger {
    return this.#log;
  }

  connected(pluginVersion: string, openclawVersion: string): void {
    // It has come in the other one's place: when it goes, that is not for its version.
    this.#otherWireAt = Number.NEGATIVE_INFINITY;
    const about = { plugin_version: pluginVersion, openclaw_version: openclawVersion };
    this.#came.log(({ fields, note }) => this.#log.info({ ...about, ...fields }, `plugin connected${note}`));
  }

  disconnected(code: number): void {
    this.#went.log(({ fields, note }) => this.#log.info({ code, ...fields }, `plugin disconnected${note}`));
  }

  broke(error: Error): void {
    this.#broke.log(({ fields, note }) => this.#log.warn({ err: error, ...fields }, `plugin connection broke${note}`));
  }

  /** It reads nothing of what it is told. */
  cutOff(): void {
    this.#broke.log(({ fields, note }) => this.#log.warn(fields, `plugin cut off: it reads no answers${note}`));
  }

  refused(code: RefusalCode, reason: string): void {
    // One that can't be stored is said of as a trouble of ours, now and then: while a disk is full, hundreds a second come again.
    if (code === "not_stored") return;
    if (code === "bad_version") this.#otherWireAt = performance.now();
    this.#refused.log(({ fields, note }) => this.#log.warn({ code, ...fields }, `frame refused: ${reason}${note}`));
  }

  repeated(log: Logger): void {
    this.#repeated.log(({ fields, note }) => log.info(fields, `message was here already${note}`));
  }

  notStored(log: Logger, error: unknown): void {
    // It comes again, and is taken as soon as the account is ours.
    if (error instanceof NotOwnedError)
      this.#notOwned.log(() => log.warn(`message can't be stored yet: ${error.message}`));
    else this.#notStored.log(() => log.error({ err: error, alarm: true }, "message can't be stored"));
  }
}
