import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { WIRE_VERSION } from "@hotbags/shared";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { takeCareOf } from "../../test/openclaw/caretaker.ts";
import { Bridge, type BridgeOptions } from "./bridge.ts";
import { INTAKE_LIMITS } from "./intake/intake.ts";
import { LINK_TIMING } from "./link/timing.ts";
import { Outbox } from "./outbox/outbox.ts";
import { savedFile } from "./testing/files.ts";
import { temporaryFolder } from "./testing/folder.ts";
import { memoryLog } from "./testing/log.ts";
import { directContext } from "./testing/messages.ts";
import { ScratchSidecar, TOKEN } from "./testing/sidecar.ts";
import { until } from "./testing/until.ts";

const frame = (fields: object) => ({ v: WIRE_VERSION, ...fields });
const ack = (ref: number) => frame({ type: "ack", ref, duplicate: false });
const refused = (ref: number | null, code: string, retry: boolean) =>
  frame({ type: "refused", ref, code, reason: "for a test", retry });

test("a write that fails while a picture is in flight ends neither the gateway nor the message", async () => {
  const sidecar = await ScratchSidecar.start();
  const stateDir = temporaryFolder();
  const { path } = savedFile(stateDir, "a.jpg", randomBytes(1_000));
  const script = fileURLToPath(new URL("./testing/told.ts", import.meta.url));
  const gateway = spawn(process.execPath, [script, stateDir, sidecar.url, TOKEN], {
    ...{ detached: true, stdio: ["pipe", "pipe", "inherit"] },
  });
  takeCareOf(gateway);
  onTestFinished(() => void gateway.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: gateway.stdout }).on("line", (line) => lines.push(line));
  const ended = once(gateway, "exit");
  const tell = (what: object) => gateway.stdin.write(`${JSON.stringify(what)}\n`);
  const inFlight: number[] = [];
  sidecar.answers = ({ ref }) => void inFlight.push(ref);
  tell({ id: "M1", path });
  await until("in flight", () => inFlight.length === 1);

  const other = new DatabaseSync(join(stateDir, "hotbags", "outbox.sqlite"));
  onTestFinished(() => other.close());
  other.exec("BEGIN IMMEDIATE");
  tell({ id: "M2" });
  await until("the write has failed", () => lines.some((line) => line.includes("outbox cannot be used")));
  other.exec("ROLLBACK");
  sidecar.answers = ({ ref }) => ack(ref);
  sidecar.send(ack(inFlight[0] ?? 0));
  await until("both are through", () => sidecar.ids.includes("M2") || gateway.exitCode !== null);
  gateway.stdin.end();
  expect(await ended).toEqual([0, null]);
  expect(other.prepare("SELECT * FROM waiting").all()).toEqual([]);
  expect(sidecar.violations).toEqual([]);
});

/** Exceptions and rejections that nobody has caught, from now on: each would have ended the gateway. */
function uncaught(): unknown[] {
  const errors: unknown[] = [];
  for (const event of ["uncaughtException", "unhandledRejection"]) {
    const others = process.rawListeners(event) as ((...args: unknown[]) => void)[];
    process.removeAllListeners(event);
    process.on(event, (error) => errors.push(error));
    onTestFinished(() => {
      process.removeAllListeners(event);
      for (const other of others) process.on(event, other);
    });
  }
  return errors;
}

/** A running plugin with a sidecar, whose every message is looked after until it is acknowledged or a dead letter. */
class Shop {
  readonly stateDir = temporaryFolder();
  readonly sidecar: ScratchSidecar;
  readonly errors = uncaught();
  readonly #acked = new Set<string>();
  readonly #unanswered = new Map<number, string>();
  readonly #captured = new Set<string>();
  readonly #options: Partial<BridgeOptions>;
  readonly #outbox: DatabaseSync;
  bridge: Bridge;
  looks = 0;

  private constructor(sidecar: ScratchSidecar, options: Partial<BridgeOptions>) {
    this.sidecar = sidecar;
    this.#options = options;
    this.bridge = this.#create();
    this.#outbox = new DatabaseSync(join(this.stateDir, "hotbags", "outbox.sqlite"), { readOnly: true });
    onTestFinished(() => this.#outbox.close());
  }

  static async open(options: Partial<BridgeOptions> = {}): Promise<Shop> {
    return new Shop(await ScratchSidecar.start(), options);
  }

  #create(): Bridge {
    const readConfig = () => {
      this.looks += 1;
      return { sidecarUrl: this.sidecar.url, token: TOKEN };
    };
    const bridge = new Bridge({
      ...{ stateDir: this.stateDir, openclawVersion: "2026.9.6", log: memoryLog(), isConsumed: () => false },
      ...{ readConfig, lookEveryMs: 1 },
      intakeLimits: { ...INTAKE_LIMITS, retryMs: 1, incompleteMs: 1, hookWaitMs: 5, copyMs: 5, stopMs: 100 },
      linkTiming: { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5, retryMs: 1, beatMs: 2 },
      ...this.#options,
    });
    onTestFinished(() => bridge.stop());
    bridge.start();
    return bridge;
  }

  async restart(): Promise<void> {
    await this.bridge.stop();
    this.bridge = this.#create();
  }

  takesAll(): void {
    this.sidecar.media.refuses = () => undefined;
    this.sidecar.media.gate = () => undefined;
    this.sidecar.answers = ({ ref, message }) => {
      this.#acked.add(message.message_id);
      return ack(ref);
    };
    for (const ref of this.#unanswered.keys()) this.acknowledge(ref);
  }

  acknowledge(ref: number): void {
    this.#acked.add(this.#unanswered.get(ref) ?? "");
    this.#unanswered.delete(ref);
    this.sidecar.send(ack(ref));
  }

  /** A message of a chat of its own, with a picture or without. */
  capture(hasPicture: boolean): { id: string; captured: Promise<unknown> } {
    const id = `M${this.#captured.size}`;
    this.#captured.add(id);
    const chat = `+1555${String(this.#captured.size).padStart(6, "0")}`;
    const media = hasPicture ? [savedFile(this.stateDir, id, randomBytes(1_000))] : [];
    const context = directContext({ MessageSid: id, ChatId: chat, SenderE164: chat, media });
    return { id, captured: this.bridge.onDispatch(context) };
  }

  receive(hasPicture: boolean): Promise<void> {
    const id = `M${this.#captured.size}`;
    this.#captured.add(id);
    const media = hasPicture ? [savedFile(this.stateDir, id, randomBytes(1_000))] : [];
    const event = { content: "Hello", messageId: id, media, metadata: { senderE164: "+15550001" } };
    return this.bridge.onReceived(event, { channelId: "whatsapp", accountId: "default", conversationId: "+15550001" });
  }

  /** A message that the sidecar has and does not answer; its `ref`. */
  async inFlight(hasPicture: boolean): Promise<number> {
    this.sidecar.answers = ({ ref, message }) => void this.#unanswered.set(ref, message.message_id);
    this.capture(hasPicture);
    await until("in flight", () => this.#unanswered.size > 0);
    return [...this.#unanswered.keys()][0] ?? 0;
  }

  /** Every timer of the plugin has had its turn, or several. */
  async timersHaveRun(): Promise<void> {
    const before = this.looks;
    await until("the configuration was looked at", () => this.looks > before + 5);
  }

  #ids(table: string): Set<string> {
    const rows = this.#outbox.prepare(`SELECT message_id FROM ${table}`).all();
    return new Set(rows.map((row) => String(row["message_id"])));
  }

  async nothingIsLost(what: string): Promise<void> {
    const isSettled = () => {
      const dead = this.#ids("parked");
      return [...this.#captured].every((id) => this.#acked.has(id) || dead.has(id));
    };
    await until(`each message is settled after ${what}`, isSettled);
    await until(`the outbox is empty after ${what}`, () => this.#ids("waiting").size === 0);
    expect(this.sidecar.violations).toEqual([]);
  }
}

/** What happens to a plugin. Brought about in two steps: what comes before the fault, and the thing itself. */
const HAPPENINGS: Record<string, (shop: Shop) => Promise<() => unknown>> = {
  "an ack": async (shop) => {
    const ref = await shop.inFlight(false);
    return () => shop.acknowledge(ref);
  },
  "an ack of a picture": async (shop) => {
    const ref = await shop.inFlight(true);
    return () => shop.acknowledge(ref);
  },
  "a refusal for now": async (shop) => {
    const ref = await shop.inFlight(false);
    return () => shop.sidecar.send(refused(ref, "not_stored", true));
  },
  "a file that the sidecar misses": async (shop) => {
    const ref = await shop.inFlight(true);
    return () => shop.sidecar.send(refused(ref, "no_file", true));
  },
  "a refusal for good": async (shop) => {
    const ref = await shop.inFlight(true);
    return () => shop.sidecar.send(refused(ref, "bad_message", false));
  },
  "a refusal of no message": async (shop) => () => shop.sidecar.send(refused(null, "bad_frame", false)),
  "a second welcome": async (shop) => () =>
    shop.sidecar.send(frame({ type: "welcome", sidecar_version: "0", credit: 1, max_frame_bytes: 1 })),
  "a frame that makes no sense": async (shop) => () => shop.sidecar.sendText("{"),
  "the end of a connection": async (shop) => {
    await shop.inFlight(true);
    return () => shop.sidecar.drop();
  },
  "an upload that is through": async (shop) => {
    const gate = Promise.withResolvers<void>();
    shop.sidecar.media.gate = () => gate.promise;
    shop.capture(true);
    await until("under way", () => shop.sidecar.media.open === 1);
    return () => gate.resolve();
  },
  "an upload that is refused": async (shop) => {
    const before = shop.sidecar.media.requests.length;
    shop.sidecar.media.refuses = () => 503;
    shop.capture(true);
    await until("tried", () => shop.sidecar.media.requests.length > before);
    return () => {
      shop.sidecar.media.refuses = ({ method }) => (method === "PATCH" ? 507 : 404);
    };
  },
  "a text": async (shop) => () => shop.capture(false).captured,
  "a picture": async (shop) => () => shop.capture(true).captured,
  "a picture whose copy is under way": async (shop) => {
    shop.capture(true);
    return () => undefined;
  },
  "a text that only message_received sees": async (shop) => () => shop.receive(false),
  "a picture that only message_received sees": async (shop) => () => shop.receive(true),
  "an incomplete message whose time is over": async (shop) => {
    await shop.receive(false);
    return () => undefined;
  },
  "an observed send": async (shop) => () => {
    const event = { to: "+15550001", content: "Yes!", success: true };
    shop.bridge.onSent(event, { channelId: "whatsapp", accountId: "default" });
  },
  "a restart of the plugin": async (shop) => {
    await shop.inFlight(true);
    return () => shop.restart();
  },
};

/** All that can be asked of an outbox. What is added to it later is tried too. */
const VERBS = Object.getOwnPropertyNames(Outbox.prototype).filter((name) => name !== "constructor");

/** From now on this verb of every outbox fails, until the returned function is called. */
function breakVerb(verb: string): () => void {
  const fail = () => {
    throw new Error("disk I/O error");
  };
  const { get } = Object.getOwnPropertyDescriptor(Outbox.prototype, verb) ?? {};
  const broken =
    get === undefined
      ? vi.spyOn(Outbox.prototype, verb as "get").mockImplementation(fail)
      : vi.spyOn(Outbox.prototype, verb as "media", "get").mockImplementation(fail);
  const mend = () => broken.mockRestore();
  onTestFinished(mend);
  return mend;
}

describe("a fault of the outbox ends nothing and loses nothing: while", () => {
  test.each(VERBS)(
    "%s fails",
    async (verb) => {
      const shop = await Shop.open();
      for (const [what, prepare] of Object.entries(HAPPENINGS)) {
        shop.takesAll();
        const happen = await prepare(shop);
        const mend = breakVerb(verb);
        await happen();
        await shop.timersHaveRun();
        mend();
        shop.takesAll();
        await shop.nothingIsLost(what);
        expect(shop.errors, what).toEqual([]);
      }
    },
    60_000,
  );
});

test("a log that fails ends nothing and loses nothing", async () => {
  const fail = () => {
    throw new Error("no space left on device");
  };
  const shop = await Shop.open({ log: { info: fail, warn: fail, error: fail } });
  for (const [what, prepare] of Object.entries(HAPPENINGS)) {
    shop.takesAll();
    await (await prepare(shop))();
    await shop.timersHaveRun();
    shop.takesAll();
    await shop.nothingIsLost(what);
    expect(shop.errors, what).toEqual([]);
  }
}, 60_000);

test("a configuration that can't be read for a while ends nothing; the link stays as it was", async () => {
  const errors = uncaught();
  const sidecar = await ScratchSidecar.start();
  let reads = 0;
  let isBroken = false;
  const log = memoryLog();
  const bridge = new Bridge({
    ...{ stateDir: temporaryFolder(), openclawVersion: "2026.9.6", log, isConsumed: () => false, lookEveryMs: 1 },
    readConfig: () => {
      reads += 1;
      if (isBroken) throw new Error("the runtime is not there");
      return { sidecarUrl: sidecar.url, token: TOKEN };
    },
  });
  onTestFinished(() => bridge.stop());
  bridge.start();
  await until("connected", () => sidecar.connections === 1);
  isBroken = true;
  const before = reads;
  await until("read several times", () => reads > before + 3);
  await bridge.onDispatch(directContext({ MessageSid: "M1" }));
  await until("arrived", () => sidecar.ids.includes("M1"));
  expect(errors).toEqual([]);
  expect(sidecar.connections).toBe(1);
  expect(log.lines.filter((line) => line.startsWith("error"))).toEqual([
    "error hotbags: something failed, the plugin goes on: the runtime is not there",
  ]);
});
