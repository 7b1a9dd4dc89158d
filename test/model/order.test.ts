import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { WebSocket } from "ws";
import { Delivery } from "../../plugin/src/link/delivery.ts";
import { GoneError } from "../../plugin/src/link/window.ts";
import { Outbox } from "../../plugin/src/outbox/outbox.ts";
import { type InboundMessage, MAX_FRAME_BYTES, type SidecarFrame } from "../../shared/src/index.ts";
import { systemClock } from "../../sidecar/src/clock.ts";
import { PluginConnection } from "../../sidecar/src/intake/plugin-connection.ts";
import { PluginLog } from "../../sidecar/src/intake/plugin-log.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { openStore } from "../../sidecar/src/store/index.ts";

// Random histories of both ends of the wire: the plugin's outbox and delivery, the sidecar's connection and store. Only
// the wire between them is the test's: frames arrive when the history says so, and so do files. However the sidecar's
// disk fails and files get lost, the messages of a chat reach its store in the order in which they were captured.

const CHATS = 3;
/** Fewer than there are chats, so that some have to wait. */
const LIMITS = { lanes: 2, preparing: 1 };
const CREDIT = 8;
const REST_MS = 2_000;

type Act =
  | { do: "capture"; chat: number; hasPicture: boolean }
  | { do: "send" | "commit" | "hiccup" | "upload" | "fail" | "mend" | "wait" }
  | { do: "lose files" | "reconnect" | "another connection" }
  | { do: "carry" | "answer"; frames: number };

/** An act that comes about so often. */
const often = <Name extends Act["do"]>(weight: number, name: Name, fields: object = {}) => ({
  weight,
  arbitrary: fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Act>,
});
const chat = fc.nat(CHATS - 1);
const act: fc.Arbitrary<Act> = fc.oneof(
  often(6, "capture", { chat, hasPicture: fc.constant(false) }),
  often(3, "capture", { chat, hasPicture: fc.constant(true) }),
  ...[
    often(8, "send"),
    often(10, "carry", { frames: fc.constant(1) }),
    often(10, "answer", { frames: fc.constant(1) }),
  ],
  ...[often(5, "commit"), often(2, "hiccup"), often(2, "upload"), often(1, "fail"), often(1, "mend"), often(1, "wait")],
  ...[often(1, "lose files"), often(1, "reconnect"), often(1, "another connection")],
);

/** The sidecar's socket: what it sends waits until the history brings it to the plugin. */
class Wire extends EventEmitter {
  readonly OPEN = 1;
  readyState = 1;
  readonly toSidecar: string[] = [];
  readonly toPlugin: string[] = [];
  isPaused = false;

  send(text: string): void {
    this.toPlugin.push(text);
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  ping(): void {}
  close(): void {}
  terminate(): void {}
}

class World {
  readonly dir = mkdtempSync(join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), "hotbags-model-order-"));
  readonly outbox = new Outbox(join(this.dir, "outbox", "outbox.sqlite"));
  readonly store = openStore(join(this.dir, "sidecar"), systemClock);
  readonly tables = new Database(join(this.dir, "sidecar", "bridge.sqlite"));
  readonly log = openLog("fatal", { write: () => undefined });
  #histories = 0;

  constructor() {
    this.tables.exec(`CREATE TABLE disk (fails INTEGER NOT NULL); INSERT INTO disk VALUES (0);
      CREATE TRIGGER disk_fails BEFORE INSERT ON messages WHEN (SELECT fails FROM disk)
      BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`);
  }

  /** A new history, with chats of its own. */
  begin(): History {
    this.outbox.remove(this.outbox.after(0, 1_000_000).map(({ seq }) => seq));
    this.#histories += 1;
    return new History(this, this.#histories);
  }

  close(): void {
    this.store.close();
    this.tables.close();
    this.outbox.close();
    rmSync(this.dir, { recursive: true });
  }
}

class History {
  readonly #world: World;
  readonly #number: number;
  readonly #captured: InboundMessage[] = [];
  #wire = new Wire();
  #delivery: Delivery;
  #uploads: { sha256: string; bytes: number; done: () => void }[] = [];
  #nowMs = 0;

  constructor(world: World, number: number) {
    this.#world = world;
    this.#number = number;
    this.#delivery = this.#connect();
  }

  #connect(): Delivery {
    this.#wire.emit("close", 1006);
    this.#wire = new Wire();
    this.#uploads = [];
    const { outbox, store, log } = this.#world;
    const parts = { store, log: new PluginLog(log), onAccepted: () => {}, onSent: () => {} };
    new PluginConnection(this.#wire as unknown as WebSocket, parts);
    this.#toSidecar(JSON.stringify({ v: 1, type: "hello", plugin_version: "0", openclaw_version: "0" }));
    this.#wire.toPlugin.length = 0;
    const uploads = {
      ensure: ({ sha256, sizeBytes }: { sha256: string; sizeBytes: number }) =>
        new Promise<undefined>((done) => this.#uploads.push({ sha256, bytes: sizeBytes, done: () => done(undefined) })),
      pause: () => Promise.resolve(),
    };
    return new Delivery({
      ...{
        outbox,
        uploads,
        restMs: REST_MS,
        windowLimits: LIMITS,
        log: { info: () => {}, warn: () => {}, error: () => {} },
      },
      onPrepared: () => {},
      onFailed: (error) => {
        throw error;
      },
    });
  }

  #toSidecar(text: string): void {
    this.#wire.emit("message", Buffer.from(text), false);
  }

  #capture(chat: number, hasPicture: boolean): void {
    const { outbox } = this.#world;
    const address = `+1555${String(this.#number).padStart(6, "0")}${chat}`;
    const id = `H${this.#number}-${this.#captured.length}`;
    const bytes = Buffer.from(id);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const media = hasPicture
      ? [{ type: "image" as const, mime_type: null, file_name: null, size_bytes: bytes.length, sha256 }]
      : [];
    const message: InboundMessage = {
      ...{ account_id: "default", message_id: id, chat_id: address, from: address, text: id, media, raw: {} },
      timestamp: "2026-03-01T12:00:00.000Z",
    };
    this.#captured.push(message);
    const seq = outbox.put({ ok: true, message }, 0, hasPicture)?.seq ?? 0;
    if (hasPicture) {
      mkdirSync(outbox.media.path, { recursive: true });
      const part = join(outbox.media.path, `${id}.part`);
      writeFileSync(part, bytes);
      const row = outbox.get(seq);
      if (row !== undefined) outbox.complete(row, message, [{ sha256, sizeBytes: bytes.length, part }]);
      rmSync(part);
    }
    this.#delivery.offer(seq);
  }

  #send(): void {
    this.#delivery.turn(this.#nowMs);
    try {
      for (;;) {
        const frame = this.#delivery.next(CREDIT, MAX_FRAME_BYTES);
        if (frame === undefined) return;
        this.#wire.toSidecar.push(frame);
      }
    } catch (error) {
      if (!(error instanceof GoneError)) throw error;
      this.#delivery = this.#connect();
    }
  }

  #answer(text: string): void {
    const frame = JSON.parse(text) as SidecarFrame;
    if (frame.type === "ack") this.#delivery.acknowledged(frame.ref);
    if (frame.type === "refused" && frame.ref !== null) this.#delivery.refused(frame.ref, frame, this.#nowMs);
  }

  async #upload(): Promise<void> {
    const upload = this.#uploads.shift();
    if (upload === undefined) return;
    const message = this.#captured.find(({ media }) => media[0]?.sha256 === upload.sha256);
    const bytes = Buffer.from(message?.message_id ?? "");
    const body = (async function* () {
      yield bytes;
    })();
    await this.#world.store.files.receive(upload.sha256, { offset: 0, length: bytes.length, body });
    upload.done();
  }

  async act(it: Act): Promise<void> {
    const { tables, dir } = this.#world;
    if (it.do === "capture") this.#capture(it.chat, it.hasPicture);
    if (it.do === "send") this.#send();
    if (it.do === "commit") await new Promise((resolve) => setImmediate(resolve));
    if (it.do === "carry") for (const text of this.#wire.toSidecar.splice(0, it.frames)) this.#toSidecar(text);
    if (it.do === "answer") for (const text of this.#wire.toPlugin.splice(0, it.frames)) this.#answer(text);
    if (it.do === "fail") tables.exec("UPDATE disk SET fails = 1");
    if (it.do === "mend") tables.exec("UPDATE disk SET fails = 0");
    if (it.do === "hiccup") for (const one of ["fail", "commit", "mend"] as const) await this.act({ do: one });
    if (it.do === "upload") await this.#upload();
    if (it.do === "lose files")
      for (const { media } of this.#captured) this.#lose(join(dir, "sidecar", "media"), media);
    if (it.do === "another connection") await this.#getOldestThrough();
    if (it.do === "reconnect") this.#delivery = this.#connect();
    if (it.do === "wait") this.#nowMs += REST_MS;
  }

  /** Another instance of the plugin, with a connection of its own, is faster. */
  async #getOldestThrough(): Promise<void> {
    const { outbox, store } = this.#world;
    const row = outbox.after(0, 1).flatMap(({ seq }) => outbox.get(seq) ?? [])[0];
    if (row === undefined || row.files > 0) return;
    const accepted = store.messages.accept(JSON.parse(row.body)).catch(() => undefined);
    await this.act({ do: "commit" });
    if ((await accepted) !== undefined) outbox.remove([row.seq]);
  }

  #lose(folder: string, media: InboundMessage["media"]): void {
    for (const { sha256 } of media) rmSync(join(folder, sha256 ?? ""), { force: true });
  }

  /** All that is left goes through. */
  async end(): Promise<void> {
    await this.act({ do: "mend" });
    for (let round = 0; this.#world.outbox.totals().waiting > 0; round += 1) {
      if (round === 1_000) throw new Error(`${this.#world.outbox.totals().waiting} message(s) never arrive`);
      await this.act({ do: "wait" });
      await this.act({ do: "send" });
      await this.act({ do: "carry", frames: 1_000 });
      await this.act({ do: "commit" });
      await this.act({ do: "upload" });
      await this.act({ do: "answer", frames: 1_000 });
    }
    this.#wire.emit("close", 1000);
  }

  get captured(): string[][] {
    return this.#byChat(this.#captured.map(({ message_id, chat_id }) => ({ message_id, chat_id })));
  }

  get stored(): string[][] {
    const rows = this.#world.tables
      .prepare(
        `SELECT message_id, chat_id FROM messages JOIN chats USING (chat) WHERE message_id LIKE 'H${this.#number}-%' ORDER BY seq`,
      )
      .all();
    return this.#byChat(rows as { message_id: string; chat_id: string }[]);
  }

  #byChat(messages: { message_id: string; chat_id: string }[]): string[][] {
    return Array.from({ length: CHATS }, (_, chat) =>
      messages.filter(({ chat_id }) => chat_id.endsWith(String(chat))).map(({ message_id }) => message_id),
    );
  }
}

it("whatever is refused and lost on the way, each chat's messages are stored once and in order", async () => {
  const world = new World();
  try {
    await fc.assert(
      fc.asyncProperty(fc.array(act, { minLength: 80, maxLength: 160 }), async (acts) => {
        const history = world.begin();
        for (const it of acts) await history.act(it);
        await history.end();
        expect(history.stored).toEqual(history.captured);
      }),
      { numRuns: 200 },
    );
  } finally {
    world.close();
  }
}, 120_000);
