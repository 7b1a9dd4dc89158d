import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { excerpt } from "../excerpt.ts";
import type { BotHeard, BotNoticed, FromChild, ToChild } from "./bare-bot.child.ts";
import { Waiting } from "./waiting.ts";
import type { WhatsApp } from "./whatsapp.ts";

const TIMEOUT_MS = 10_000;
/** The last of what was heard, as a failure shows it. */
const SHOWN_MESSAGES = 10;

/** The real Baileys in a process of its own, with the credentials of a folder: what the double is tested with. */
export class BareBot {
  readonly heard: BotHeard[] = [];
  /** Reactions, edits and deletions. */
  readonly noticed: BotNoticed[] = [];
  /** The codes that it showed, to be linked. */
  readonly codes: string[] = [];
  /** The status with which each connection ended. */
  readonly closed: number[] = [];
  readonly #child: ChildProcess;
  readonly #calls = new Map<number, PromiseWithResolvers<string>>();
  readonly #changed = new Waiting<void>();
  #errors = "";
  #call = 0;

  constructor(whatsapp: WhatsApp, folder: string) {
    this.#child = fork(new URL("./bare-bot.child.ts", import.meta.url), {
      env: { ...process.env, ...whatsapp.gatewayEnv() },
      execArgv: [],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#child.stderr?.on("data", (data) => {
      this.#errors = `${this.#errors}${data}`.slice(-2_000);
    });
    this.#child.on("message", (message: FromChild) => this.#take(message));
    this.#child.on("exit", () => this.#giveUp());
    this.connect(folder);
  }

  /** Opens one more connection, which becomes the one to send with. */
  connect(folder: string): void {
    this.#child.send({ do: "connect", folder } satisfies ToChild);
  }

  /**
   * Sends a text to a number or a group; resolves with the message's id once Baileys has written it.
   * @throws Error when Baileys could not, or when the process ends.
   */
  send(to: string, text: string): Promise<string> {
    const call = ++this.#call;
    const answer = Promise.withResolvers<string>();
    this.#calls.set(call, answer);
    this.#child.send({ do: "send", call, to, text } satisfies ToChild);
    return answer.promise;
  }

  /** Waits until what was heard or closed satisfies the condition. */
  async until(condition: (bot: BareBot) => boolean): Promise<void> {
    while (!condition(this)) await this.#changed.wait(TIMEOUT_MS, () => this.#explain());
  }

  /** SIGKILL, as a crash. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  #explain(): string {
    const last = this.heard.slice(-SHOWN_MESSAGES).map(({ id, chat, participant = "", text, file, live }) => {
      const what = [text && excerpt(text), file && `file ${excerpt(file)}`].filter(Boolean).join(", ");
      return `\n  ${id} ${chat} ${participant} ${live ? "live" : "backlog"}: ${what}`;
    });
    return [
      `the bot did not come that far within ${TIMEOUT_MS} ms`,
      `connections closed with [${this.closed.join(", ")}]`,
      `noticed ${JSON.stringify(this.noticed.slice(-SHOWN_MESSAGES))}`,
      `printed ${JSON.stringify(this.#errors)}`,
      `heard ${this.heard.length} messages, the last of them:${last.join("")}`,
    ].join("; ");
  }

  /** Whoever waits for a process that is gone would wait for ever. */
  #giveUp(): void {
    for (const { reject } of this.#calls.values()) reject(new Error("the bot's process has ended"));
    this.#calls.clear();
  }

  #take(message: FromChild): void {
    if (message.event === "heard") this.heard.push(message.message);
    if (message.event === "noticed") this.noticed.push(message.change);
    if (message.event === "code") this.codes.push(message.code);
    if (message.event === "closed") this.closed.push(message.status);
    if (message.event === "sent") this.#calls.get(message.call)?.resolve(message.id);
    if (message.event === "failed") this.#calls.get(message.call)?.reject(new Error(message.error));
    if ("call" in message) this.#calls.delete(message.call);
    this.#changed.announce();
  }
}
