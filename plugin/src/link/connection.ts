import { LogThrottle, MAX_CREDIT, parseFrame, reasonOf, type SidecarFrame, sidecarFrame } from "@hotbags/shared";
import type { WebSocket } from "ws";
import type { LinkConfig } from "../host/config.ts";
import { guarded } from "../host/guard.ts";
import { type Log, line } from "../host/log.ts";
import type { Outbox } from "../outbox/outbox.ts";
import { Delivery, type Refusal } from "./delivery.ts";
import { dial } from "./dial.ts";
import { helloFrame, statusFrame } from "./frames.ts";
import type { Observations } from "./observations.ts";
import type { LinkTiming } from "./timing.ts";
import { Turns } from "./turns.ts";
import { Uploads } from "./uploads.ts";

/** Bytes that may wait in the socket; a slow sidecar stops us here, not at the end of memory. */
const MAX_BUFFERED_BYTES = 4 * 1024 * 1024;

export type Ended = {
  why: string;
  /** The sidecar answered a message, or stayed a while: the next attempt starts with a short wait. */
  wasUseful: boolean;
  /** Only an operator can mend it: a wrong token, another wire version. */
  isHopeless: boolean;
};

/** What the link tells of itself as it goes. */
export type LinkReport = { up(): void; down(why: string): void; acknowledged(): void };

export type ConnectionOptions = {
  config: LinkConfig;
  openclawVersion: string;
  outbox: Outbox;
  observations: Observations;
  log: Log;
  timing: LinkTiming;
  report: LinkReport;
};

/**
 * One WebSocket to the sidecar, from dialling to its end: hello, welcome, then messages in order up to the credit, each
 * deleted from the outbox when its ack comes. Files go beside it, over HTTP, each before its message. It ends once, and
 * everything it started ends with it.
 *
 * The outbox may fail at any time (a full disk), and its handle be closed: whatever throws ends the connection, and the
 * link opens both again. What was not deleted until then is sent again, and the sidecar knows it.
 */
export class Connection {
  /** Resolves to true when the sidecar has welcomed us, to false if it never will on this connection. */
  readonly opened: Promise<boolean>;
  readonly ended: Promise<Ended>;
  readonly #options: ConnectionOptions;
  readonly #socket: WebSocket;
  readonly #uploads: Uploads;
  readonly #delivery: Delivery;
  readonly #turns: Turns;
  readonly #opened = Promise.withResolvers<boolean>();
  readonly #ended = Promise.withResolvers<Ended>();
  readonly #frameThrottle = new LogThrottle();
  #why: Ended | undefined;
  #credit = 0;
  #maxFrameBytes = 0;
  #openedAt = Number.POSITIVE_INFINITY;
  #hasAnswered = false;
  #isChoked = false;
  #heardAt = performance.now();
  #answeredAt = performance.now();
  #lastStatus = "";
  #beat: NodeJS.Timeout;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.opened = this.#opened.promise;
    this.ended = this.#ended.promise;
    const { config, timing, outbox, log } = options;
    const uploadTiming = { retryMs: timing.retryMs, retryMaxMs: timing.reconnectMaxMs, silenceMs: timing.silenceMs };
    this.#uploads = new Uploads({ config, log, timing: uploadTiming, pathOf: (sha256) => outbox.media.pathOf(sha256) });
    this.#delivery = new Delivery({
      ...{ outbox, log, uploads: this.#uploads, restMs: timing.retryMs },
      onPrepared: () => this.#nextTurn(),
      onFailed: (error) => this.#failed(error),
    });
    this.#turns = new Turns(
      () => this.#turn(),
      (error) => this.#failed(error),
    );
    this.#socket = dial(config, timing.openMs, {
      open: () => this.#send(helloFrame(options.openclawVersion)),
      frame: (text) => this.#heard(text),
      pong: () => {
        this.#heardAt = performance.now();
      },
      broke: (why, isHopeless) => this.#end(why, isHopeless),
      failed: (error) => this.#failed(error),
      closed: (why) => this.#closed(why),
    });
    const late = () => this.#end("the sidecar sent no welcome in time");
    this.#beat = setTimeout(this.#guarded(late), timing.openMs);
  }

  get isOpen(): boolean {
    return this.#credit > 0 && this.#why === undefined;
  }

  /**
   * A message became ready to send, and goes at once if it may: before the next turn the gateway does all that it has to do for the same
   * message, which takes it milliseconds.
   */
  offer(seq: number): void {
    this.#delivery.offer(seq);
    this.#guarded(() => void this.#sendNext())();
    this.#nextTurn();
  }

  flushObservations(): void {
    const { observations } = this.#options;
    while (this.isOpen && this.#socket.bufferedAmount < MAX_BUFFERED_BYTES) {
      const frame = observations.take();
      if (frame === undefined) return;
      this.#send(frame);
    }
  }

  /** Ends the connection politely, or not so politely after `closeMs`. */
  async close(): Promise<void> {
    this.#noteEnd({ why: "stopped", isHopeless: false });
    const terminate = () => this.#socket.terminate();
    const deadline = setTimeout(this.#guarded(terminate), this.#options.timing.closeMs);
    this.#socket.close(1000);
    await this.ended;
    clearTimeout(deadline);
  }

  #heard(text: string): void {
    this.#heardAt = performance.now();
    if (this.#why !== undefined) return;
    const parsed = parseFrame<SidecarFrame>(sidecarFrame, text);
    if (!parsed.ok) {
      if (parsed.code === "bad_version") return this.#end(parsed.reason, true);
      this.#frameThrottle.log(() =>
        this.#options.log.warn(line({}, `frame from the sidecar ignored: ${parsed.reason}`)),
      );
      return;
    }
    const { frame } = parsed;
    if (frame.type === "welcome") this.#welcomed(frame.credit, frame.max_frame_bytes);
    else if (frame.type === "ack") this.#acknowledged(frame.ref);
    else this.#refused(frame.ref, frame);
  }

  #welcomed(credit: number, maxFrameBytes: number): void {
    if (this.#credit > 0) return;
    this.#openedAt = performance.now();
    this.#credit = Math.min(credit, MAX_CREDIT);
    this.#maxFrameBytes = maxFrameBytes;
    clearTimeout(this.#beat);
    const beat = () => this.#onBeat();
    this.#beat = setInterval(this.#guarded(beat), this.#options.timing.beatMs);
    this.#opened.resolve(true);
    this.#reportStatus();
    this.flushObservations();
    this.#nextTurn();
  }

  #acknowledged(ref: number): void {
    if (!this.#delivery.acknowledged(ref)) return;
    this.#options.report.acknowledged();
    this.#answered();
    this.#nextTurn();
  }

  #refused(ref: number | null, refusal: Refusal): void {
    const { code, reason } = refusal;
    if (ref === null) {
      if (code === "bad_version" || code === "no_hello") {
        return this.#end(`the sidecar refused our frames: ${reason}`, true);
      }
      const say = `the sidecar refused a frame: ${reason}`;
      return this.#frameThrottle.log(() => this.#options.log.warn(line({ code }, say)));
    }
    if (!this.#delivery.refused(ref, refusal, performance.now())) return;
    this.#answered();
    this.#nextTurn();
  }

  #answered(): void {
    this.#hasAnswered = true;
    this.#answeredAt = performance.now();
  }

  /** Many acks become one transaction, and the freed credit is used at once. */
  #nextTurn(): void {
    if (this.isOpen) this.#turns.soon();
  }

  #turn(): void {
    this.#delivery.turn(performance.now());
    while (this.#sendNext()) {}
    if (this.#delivery.hasMore) this.#nextTurn();
    if (this.isOpen) this.#turns.at(this.#delivery.dueMs);
  }

  /** False if nothing may go now. */
  #sendNext(): boolean {
    if (!this.isOpen) return false;
    this.#isChoked = this.#socket.bufferedAmount >= MAX_BUFFERED_BYTES;
    if (this.#isChoked) return false;
    const frame = this.#delivery.next(this.#credit, this.#maxFrameBytes);
    if (frame === undefined) return false;
    // The first after a pause: the sidecar's time to answer starts here, not at its last answer.
    if (this.#delivery.unanswered === 1) this.#answeredAt = performance.now();
    this.#send(frame);
    return true;
  }

  #onBeat(): void {
    const silentSince = this.#delivery.unanswered > 0 ? Math.min(this.#heardAt, this.#answeredAt) : this.#heardAt;
    const silentMs = performance.now() - silentSince;
    if (silentMs > this.#options.timing.silenceMs) return this.#end("the sidecar stopped answering");
    this.#socket.ping();
    this.#reportStatus();
    this.flushObservations();
    this.#delivery.lookAgain();
    this.#nextTurn();
  }

  #reportStatus(): void {
    const status = statusFrame(this.#options.outbox);
    if (status === this.#lastStatus) return;
    this.#lastStatus = status;
    this.#send(status);
  }

  #send(frame: string): void {
    const written = () => {
      if (this.#isChoked) this.#nextTurn();
    };
    this.#socket.send(frame, this.#guarded(written));
  }

  #guarded(act: () => void): () => void {
    return guarded(act, (error) => this.#failed(error));
  }

  /** Something of ours threw: the outbox, mostly. */
  #failed(error: unknown): void {
    this.#end(`sending failed: ${reasonOf(error)}`);
  }

  #end(why: string, isHopeless = false): void {
    this.#noteEnd({ why, isHopeless });
    this.#socket.terminate();
  }

  #noteEnd(why: { why: string; isHopeless: boolean }): void {
    if (this.#why !== undefined) return;
    clearTimeout(this.#beat);
    this.#turns.stop();
    void this.#uploads.stop();
    try {
      this.#delivery.deleteAcknowledged();
    } catch {
      // They are sent again on the next connection, and the sidecar knows them.
    }
    const wasUseful = this.#hasAnswered || performance.now() - this.#openedAt > this.#options.timing.openMs;
    this.#why = { ...why, wasUseful };
    this.#opened.resolve(false);
  }

  #closed(why: string): void {
    this.#noteEnd({ why, isHopeless: false });
    const ended = this.#why;
    if (ended !== undefined) void this.#uploads.stop().then(() => this.#ended.resolve(ended));
  }
}
