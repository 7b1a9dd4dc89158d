import {
  type InboundMessage,
  MAX_CREDIT,
  MAX_FRAME_BYTES,
  maskAddress,
  type PluginFrame,
  parseFrame,
  pluginFrame,
  type RefusalCode,
  type SidecarFrame,
  transportSessionId,
  VERSION,
  WIRE_VERSION,
} from "@hotbags/shared";
import type { RawData, WebSocket } from "ws";
import { type Accepted, FileMissingError, type Store } from "../store/index.ts";
import type { PluginLog } from "./plugin-log.ts";

/** A peer that says nothing for this long after connecting is not a plugin. */
const HELLO_TIMEOUT_MS = 10_000;

/** A connection that does not answer a ping within this time is dead, whatever TCP says. */
const PING_INTERVAL_MS = 15_000;

/** A peer that leaves so much of what it is told unread, bytes, will not read it. Without a limit it would fill the memory. */
const MAX_UNREAD_BYTES = 4 * 1024 ** 2;

export type SentFrame = Extract<PluginFrame, { type: "sent" }>;
export type OutboxStatus = Extract<PluginFrame, { type: "status" }>;
type MessageFrame = Extract<PluginFrame, { type: "message" }>;

/** What a plugin says of itself when it comes. */
export interface PluginVersions {
  plugin: string;
  /** Of the gateway that it runs in. */
  openclaw: string;
}

/** What becomes of what a plugin brings. */
export interface IntakeParts {
  store: Store;
  /** Told of each message that was taken for delivery. */
  onAccepted(accepted: Accepted, message: InboundMessage): void;
  /** Told of each frame that was not taken, and of each plugin that was welcomed. */
  onRefused?(code: RefusalCode): void;
  onWelcomed?(): void;
  /** Told of each text that the gateway was seen to send, or to drop. */
  onSent(sent: SentFrame): void;
}

interface ConnectionParts extends IntakeParts {
  log: PluginLog;
}

/** One connection of the plugin: reads its frames, puts the messages into the store, and acks what is on disk. */
export class PluginConnection {
  readonly #socket: WebSocket;
  readonly #parts: ConnectionParts;
  readonly #helloTimer: NodeJS.Timeout;
  readonly #pingTimer: NodeJS.Timeout;
  #versions: PluginVersions | null = null;
  #outbox: OutboxStatus | null = null;
  #alive = true;
  #unacked = 0;
  /**
   * Chats with a message that could not be stored or lacked a file, and its id: it has to come again before what
   * follows it, or it would be overtaken.
   */
  readonly #awaited = new Map<string, { messageId: string; arrival: number }>();
  #arrivals = 0;

  constructor(socket: WebSocket, parts: ConnectionParts) {
    this.#socket = socket;
    this.#parts = parts;
    this.#helloTimer = setTimeout(() => this.#end(1002, "no hello"), HELLO_TIMEOUT_MS);
    this.#pingTimer = setInterval(() => this.#ping(), PING_INTERVAL_MS);
    socket.on("message", (data, binary) => this.#read(data, binary));
    socket.on("pong", () => {
      this.#alive = true;
    });
    // Its reason reaches `close` below as a code; without a listener it would end the process.
    socket.on("error", (error) => parts.log.broke(error));
    socket.on("close", (code) => {
      clearTimeout(this.#helloTimer);
      clearInterval(this.#pingTimer);
      parts.log.disconnected(code);
    });
  }

  /** What the plugin last said of its outbox; null when it has not yet. */
  get outbox(): OutboxStatus | null {
    return this.#outbox;
  }

  /** What the plugin said of itself; null before its hello, and once it is gone. */
  get versions(): PluginVersions | null {
    return this.#socket.readyState === this.#socket.OPEN ? this.#versions : null;
  }

  #read(data: RawData, binary: boolean): void {
    const bytes = data as Buffer;
    if (binary) return this.#refuse(null, "bad_frame", "frames are text, not binary", false);
    const text = bytes.toString("utf8");
    if (bytes.length > MAX_FRAME_BYTES) {
      const reason = `the frame has ${bytes.length} bytes, more than the ${MAX_FRAME_BYTES} allowed`;
      const parsed = parseFrame(pluginFrame, text);
      return this.#refuse(
        parsed.ok ? ("ref" in parsed.frame ? parsed.frame.ref : null) : parsed.ref,
        "too_large",
        reason,
        false,
      );
    }
    const parsed = parseFrame(pluginFrame, text);
    if (!parsed.ok) {
      this.#refuse(parsed.ref, parsed.code, parsed.reason, false);
      if (parsed.code === "bad_version") this.#end(1002, "wire version");
      return;
    }
    this.#take(parsed.frame);
  }

  #take(frame: PluginFrame): void {
    if (frame.type === "hello") return this.#welcome(frame.plugin_version, frame.openclaw_version);
    if (!this.#versions)
      return this.#refuse("ref" in frame ? frame.ref : null, "no_hello", "the first frame must be a hello", true);
    if (frame.type === "message") void this.#accept(frame);
    if (frame.type === "sent") this.#parts.onSent(frame);
    if (frame.type === "status") this.#outbox = frame;
  }

  #welcome(pluginVersion: string, openclawVersion: string): void {
    clearTimeout(this.#helloTimer);
    this.#versions = { plugin: pluginVersion, openclaw: openclawVersion };
    this.#parts.log.connected(pluginVersion, openclawVersion);
    this.#parts.onWelcomed?.();
    this.#send({
      v: WIRE_VERSION,
      type: "welcome",
      sidecar_version: VERSION,
      credit: MAX_CREDIT,
      max_frame_bytes: MAX_FRAME_BYTES,
    });
  }

  async #accept({ ref, message }: MessageFrame): Promise<void> {
    const log = this.#parts.log.messages.child({
      transport_session_id: transportSessionId(message.account_id),
      message_id: message.message_id,
      chat: maskAddress(message.chat_id),
    });
    const chat = `${message.account_id} ${message.chat_id}`;
    const first = this.#awaited.get(chat);
    if (first !== undefined && first.messageId !== message.message_id) {
      return this.#refuse(ref, "not_stored", "an earlier message of this chat could not be stored yet", true);
    }
    // It has come again, and what follows is behind it again.
    this.#awaited.delete(chat);
    const arrival = this.#arrivals++;
    this.#countUnacked(1);
    try {
      const accepted = await this.#parts.store.messages.accept(message);
      this.#send({ v: WIRE_VERSION, type: "ack", ref, duplicate: accepted.duplicate });
      if (accepted.refusal) log.error({ alarm: true }, `not delivered: ${accepted.refusal}; it is a dead letter`);
      else if (accepted.duplicate) this.#parts.log.repeated(log);
      else {
        log.info("message accepted");
        this.#parts.onAccepted(accepted, message);
      }
    } catch (error) {
      // Not on disk, so not acked: the plugin keeps it and sends it again.
      this.#awaitAgain(chat, message.message_id, arrival);
      if (error instanceof FileMissingError) return this.#refuse(ref, "no_file", error.message, true);
      this.#parts.log.notStored(log, error);
      this.#refuse(ref, "not_stored", "the sidecar can't write to its disk", true);
    } finally {
      this.#countUnacked(-1);
    }
  }

  /** Of several messages that were not taken, the chat waits for the one that came first. */
  #awaitAgain(chat: string, messageId: string, arrival: number): void {
    const first = this.#awaited.get(chat);
    if (!first || arrival < first.arrival) this.#awaited.set(chat, { messageId, arrival });
  }

  /** A peer that ignores its credit is not read until it is within it again, so that memory stays bounded. */
  #countUnacked(by: 1 | -1): void {
    this.#unacked += by;
    if (this.#unacked >= MAX_CREDIT) this.#socket.pause();
    else if (this.#socket.isPaused) this.#socket.resume();
  }

  #refuse(ref: number | null, code: RefusalCode, reason: string, retry: boolean): void {
    this.#parts.log.refused(code, reason);
    this.#parts.onRefused?.(code);
    this.#send({ v: WIRE_VERSION, type: "refused", ref, code, reason, retry });
  }

  #send(frame: SidecarFrame): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    this.#socket.send(JSON.stringify(frame));
    if (this.#socket.bufferedAmount > MAX_UNREAD_BYTES) {
      this.#parts.log.cutOff();
      this.#socket.terminate();
    }
  }

  #ping(): void {
    if (!this.#alive) return this.#socket.terminate();
    this.#alive = false;
    this.#socket.ping();
  }

  #end(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }
}
