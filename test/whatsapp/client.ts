import { type BinaryNode, getBinaryNodeChild } from "baileys";
import type { Account } from "./account.ts";
import type { Directory } from "./directory.ts";
import { type ChatState, nowMs, type Reporter } from "./events.ts";
import { handleReceipt, type ReceiptOptions } from "./incoming-receipts.ts";
import { withoutDevice } from "./jid.ts";
import type { Outgoing } from "./outgoing.ts";
import { Turns } from "./signal/turns.ts";
import { answerIq } from "./stanzas/iq.ts";
import { node, nowSeconds, SERVER } from "./stanzas/reply.ts";
import { type TimeLock, timeLockNotification } from "./stanzas/time-lock.ts";

export interface ClientOptions extends ReceiptOptions {
  readonly account: Account;
  readonly directory: Directory;
  readonly reporter: Reporter;
  readonly outgoing: Outgoing;
  readonly chatStates: ChatState[];
  /** Awaited before each message of the bot is looked at. */
  readonly gate: () => Promise<void>;
}

/** The server's handling of one linked bot: what it answers to each stanza. */
export class Client {
  readonly #options: ClientOptions;
  /** The bot's messages are handled in the order in which it sent them, one after the other. */
  readonly #messages = new Turns();
  readonly #receipts = new Turns();

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  get account(): Account {
    return this.#options.account;
  }

  greet(): void {
    const { account } = this;
    const attrs = { t: nowSeconds(), props: "27", companion_enc_static: "", location: "frc", lid: account.lidDevice };
    account.connection?.send(node("success", attrs));
  }

  handle(stanza: BinaryNode): void {
    const { account, gate, outgoing } = this.#options;
    switch (stanza.tag) {
      case "iq":
        this.#answer(stanza);
        break;
      case "message":
        this.#take(this.#messages, stanza, async () => {
          await gate();
          await outgoing.handle(stanza);
        });
        break;
      case "receipt":
        this.#take(this.#receipts, stanza, () => handleReceipt(stanza, this.#options));
        break;
      case "ib":
        if (getBinaryNodeChild(stanza, "offline_batch")) account.mailbox.asked();
        break;
      case "ack":
        this.#note(stanza);
        break;
      case "chatstate":
        this.#show(stanza);
        break;
      // Presences and telemetry need no answer.
    }
  }

  /** Resolves when all that the bot has sent so far is handled. */
  async idle(): Promise<void> {
    await Promise.all([this.#messages.idle(), this.#receipts.idle()]);
  }

  #answer(iq: BinaryNode): void {
    const { account, directory } = this.#options;
    const { connection } = account;
    if (!connection || iq.attrs["type"] === "result") return;
    connection.send(answerIq(iq, account, directory));
    if (iq.attrs["xmlns"] === "passive" && getBinaryNodeChild(iq, "active")) connection.send(account.mailbox.preview());
    if (iq.attrs["xmlns"] === "w:g2" && getBinaryNodeChild(iq, "participating")) account.mailbox.listening();
    if (iq.attrs["xmlns"] === "md" && getBinaryNodeChild(iq, "remove-companion-device")) this.logout();
  }

  /** A bot acknowledges a message with an error when it gives it up; a retry receipt may have come before. */
  #note({ attrs }: BinaryNode): void {
    const { account, reporter } = this.#options;
    const { id = "", error } = attrs;
    if (!error || attrs["class"] !== "message") return;
    reporter.log(`account=${account.id} message=${id} nack=${error}`);
    reporter.emit({ type: "nack", atMs: nowMs(), accountId: account.id, id, error });
  }

  #show({ attrs, content }: BinaryNode): void {
    const { account, chatStates, directory } = this.#options;
    const to = withoutDevice(attrs["to"] ?? "");
    const [shown] = Array.isArray(content) ? content : [];
    const chat = directory.contactAt(to)?.number ?? to;
    chatStates.push({ state: shown?.tag ?? "", chat, accountId: account.id, atMs: nowMs() });
  }

  #take(turns: Turns, stanza: BinaryNode, work: () => Promise<void>): void {
    turns.take(work).catch((error: unknown) => {
      const { account, reporter } = this.#options;
      reporter.log(`account=${account.id} ${stanza.tag}=${stanza.attrs["id"]} not handled: ${String(error)}`);
    });
  }

  /** The number may begin no chats from now on, or may again. */
  lock(lock: TimeLock | null): void {
    const { account } = this;
    account.timeLock = lock;
    account.connection?.send(timeLockNotification(`lock-${nowMs()}`, lock));
  }

  /** Tells the bot that its owner has unlinked it, and ends the connection; later logins are refused with 401. */
  logout(): void {
    this.account.loggedOut = true;
    this.#endWith({ code: "401" }, "device_removed");
  }

  /** Tells the bot that another client has taken its place, and ends the connection. */
  replaced(): void {
    this.#endWith({}, "replaced");
  }

  #endWith(attrs: Record<string, string>, type: string): void {
    const { connection } = this.account;
    connection?.send(node("stream:error", attrs, [node("conflict", { type })]));
    connection?.end();
  }
}

/** The refusal of a login. */
export function loginFailure(): BinaryNode {
  return node("failure", { reason: "401", location: "frc", from: SERVER });
}
