import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { BotHeard, BotNoticed, FromChild, ToChild } from "./bare-bot.child.ts";
import { Waiting } from "./waiting.ts";
import type { WhatsApp } from "./whatsapp.ts";

const TIMEOUT_MS = 10_000;

/** The real Baileys in a process of its own, with the credentials of a folder: what the double is tested with. */
export class BareBot {
  readonly heard: BotHeard[] = [];
  /** Reactions, edits and deletions. */
  readonly noticed: BotNoticed[] = [];
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
    this.connect(folder);
  }

  /** Opens one more connection, which becomes the one to send with. */
  connect(folder: string): void {
    this.#child.send({ do: "connect", folder } satisfies ToChild);
  }

  /** Sends a text to a number or a group; resolves with the message's id once Baileys has written it. */
  send(to: string, text: string): Promise<string> {
    const call = ++this.#call;
    const answer = Promise.withResolvers<string>();
    this.#calls.set(call, answer);
    this.#child.send({ do: "send", call, to, text } satisfies ToChild);
    return answer.promise;
  }

  /** Waits until what was heard or closed satisfies the condition. */
  async until(condition: (bot: BareBot) => boolean): Promise<void> {
    const explain = () => `the bot heard ${JSON.stringify(this.heard)} and printed ${JSON.stringify(this.#errors)}`;
    while (!condition(this)) await this.#changed.wait(TIMEOUT_MS, explain);
  }

  /** SIGKILL, as a crash. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exit;
  }

  #take(message: FromChild): void {
    if (message.event === "heard") this.heard.push(message.message);
    if (message.event === "noticed") this.noticed.push(message.change);
    if (message.event === "closed") this.closed.push(message.status);
    if (message.event === "sent") this.#calls.get(message.call)?.resolve(message.id);
    if (message.event === "failed") this.#calls.get(message.call)?.reject(new Error(message.error));
    if ("call" in message) this.#calls.delete(message.call);
    this.#changed.announce();
  }
}
