import { randomBytes } from "node:crypto";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import {
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type InboundMessage, inboundMessage, OMITTED } from "@hotbags/shared";
import { expect, onTestFinished, test } from "vitest";
import { type Captured, captureDispatched } from "../capture/capture.ts";
import { captureReceived } from "../capture/message-received.ts";
import { Outbox } from "../outbox/outbox.ts";
import { savedFile, sha256Of } from "../testing/files.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { memoryLog } from "../testing/log.ts";
import { directContext } from "../testing/messages.ts";
import { until } from "../testing/until.ts";
import { INTAKE_LIMITS, Intake, type IntakeLimits } from "./intake.ts";

const MAX_FILE_BYTES = 1_000_000;
const LONG: Partial<IntakeLimits> = { incompleteMs: 60_000, incompleteConsumedMs: 60_000 };

function setUp(limits: Partial<IntakeLimits> = {}, maxMediaBytes = 10_000_000) {
  const stateDir = temporaryFolder();
  const file = join(stateDir, "hotbags", "outbox.sqlite");
  const log = memoryLog();
  const ready: number[] = [];
  const inbound = join(stateDir, "media", "inbound");
  const create = () => {
    const intake = new Intake(
      () => new Outbox(file),
      { inbound, maxFileBytes: () => MAX_FILE_BYTES, maxMediaBytes },
      log,
      (seq) => ready.push(seq),
      { ...INTAKE_LIMITS, retryMs: 1, ...limits },
    );
    onTestFinished(() => intake.stop());
    return intake;
  };
  const intake = create();
  const outbox = new Outbox(file);
  onTestFinished(() => outbox.close());
  const media = join(stateDir, "hotbags", "media");
  const save = (name: string, bytes: Uint8Array) => savedFile(stateDir, name, bytes);
  const messageAt = (seq: number): InboundMessage => inboundMessage.parse(JSON.parse(outbox.get(seq)?.body ?? "{}"));
  return { stateDir, file, log, ready, inbound, create, intake, outbox, media, save, messageAt };
}

/** What `reply_dispatch` brings for a message with these attachments. */
function dispatched(id: string, ...media: object[]): Captured {
  const seen = captureDispatched(directContext({ MessageSid: id, media }), Date.now());
  if (seen === undefined) throw new Error("not a message");
  return seen;
}

/** What `message_received` brings for the same. */
function received(id: string, ...media: object[]): Captured {
  const event = { content: "", messageId: id, media, metadata: { senderE164: "+15550001" } };
  const context = { channelId: "whatsapp", accountId: "default", conversationId: "+15550001" };
  const seen = captureReceived(event, context, Date.now());
  if (seen === undefined) throw new Error("not a message");
  return seen;
}

test("when store resolves, the message is ready and its bytes are ours, whatever OpenClaw does with its own", async () => {
  const { intake, outbox, save, media, messageAt, ready } = setUp();
  const bytes = randomBytes(900_000);
  const fact = save("Invoice---5f460798-a2a8-4c94-9296-ea72f160d5f8.pdf", bytes);
  await intake.store(dispatched("M1", fact));
  rmSync(fact.path);
  const sha256 = sha256Of(bytes);
  expect(messageAt(1).media).toEqual([
    { type: "image", mime_type: "image/jpeg", file_name: "Invoice.pdf", size_bytes: 900_000, sha256 },
  ]);
  expect(outbox.get(1)).toMatchObject({ incomplete: false, files: 1, sources: undefined });
  expect(readdirSync(media)).toEqual([sha256]);
  expect(readFileSync(join(media, sha256)).equals(bytes)).toBe(true);
  expect(outbox.totals()).toMatchObject({ files: 1, fileBytes: 900_000 });
  expect(ready).toEqual([1]);
});

test("an empty file is a file", async () => {
  const { intake, save, messageAt } = setUp();
  await intake.store(dispatched("M1", save("empty", Buffer.alloc(0))));
  expect(messageAt(1).media[0]).toMatchObject({ size_bytes: 0, sha256: sha256Of(Buffer.alloc(0)) });
});

test("the same bytes are kept once, and go with the last message that has them", async () => {
  const { intake, outbox, save, media } = setUp();
  const bytes = randomBytes(1_000);
  await Promise.all([
    intake.store(dispatched("M1", save("a.jpg", bytes), save("b.jpg", bytes))),
    intake.store(dispatched("M2", save("c.jpg", bytes))),
  ]);
  expect(readdirSync(media)).toEqual([sha256Of(bytes)]);
  expect(outbox.totals()).toMatchObject({ waiting: 2, files: 1, fileBytes: 1_000 });
  expect(outbox.get(1)?.files).toBe(1);
  outbox.remove([1]);
  expect(readdirSync(media)).toEqual([sha256Of(bytes)]);
  outbox.remove([2]);
  expect(readdirSync(media)).toEqual([]);
  expect(outbox.totals()).toMatchObject({ waiting: 0, files: 0, fileBytes: 0 });
});

test("a dead letter keeps its files", async () => {
  const { intake, outbox, save, media } = setUp();
  const bytes = randomBytes(1_000);
  await intake.store(dispatched("M1", save("a.jpg", bytes)));
  await intake.store(dispatched("M2", save("b.jpg", bytes)));
  outbox.deadLetter(1, "bad_message", "odd", Date.now());
  outbox.remove([2]);
  await outbox.sweep();
  expect(readdirSync(media)).toEqual([sha256Of(bytes)]);
});

test("what can't be copied is described with the reason; message and the other files go on", async () => {
  const { intake, save, inbound, messageAt, log } = setUp();
  const good = randomBytes(10);
  const large = save("large.jpg", randomBytes(MAX_FILE_BYTES + 1));
  mkdirSync(join(inbound, "folder.jpg"));
  await intake.store(
    dispatched(
      "M1",
      save("good.jpg", good),
      large,
      { ...large, path: join(inbound, "gone.jpg") },
      { path: join(inbound, "folder.jpg") },
      {},
    ),
  );
  expect(messageAt(1).media.map(({ omitted, size_bytes, sha256 }) => [omitted, size_bytes, sha256])).toEqual([
    [undefined, 10, sha256Of(good)],
    [OMITTED.tooLarge, MAX_FILE_BYTES + 1, null],
    [OMITTED.unreadable, null, null],
    [OMITTED.unreadable, null, null],
    [OMITTED.unreadable, null, null],
  ]);
  const said = log.lines.filter((line) => line.startsWith("warn"));
  expect(said).toHaveLength(3);
  expect(said.join()).toContain("message_id=M1 goes without one of its files: the file could not be read (ENOENT)");
  expect(said.join()).not.toMatch(/\.jpg|15550001/);
});

test("beyond the bound for waiting files a message goes without, and with again when there is room", async () => {
  const { intake, outbox, save, messageAt } = setUp({}, 2_500);
  for (const id of ["M1", "M2", "M3"]) await intake.store(dispatched(id, save(id, randomBytes(1_000))));
  expect([1, 2, 3].map((seq) => messageAt(seq).media[0]?.omitted)).toEqual([undefined, undefined, OMITTED.noRoom]);
  outbox.remove([1]);
  await intake.store(dispatched("M4", save("M4", randomBytes(1_000))));
  expect(messageAt(4).media[0]?.omitted).toBeUndefined();
});

test("a folder that can't be written costs the bytes, not the message", async () => {
  const { intake, save, media, messageAt } = setUp();
  writeFileSync(media, "in the way");
  await intake.store(dispatched("M1", save("a.jpg", randomBytes(1_000))));
  expect(messageAt(1).media[0]).toMatchObject({ omitted: OMITTED.noRoom, size_bytes: 1_000 });
});

test("nothing outside OpenClaw's media folder is read, whatever the message says", async () => {
  const { intake, stateDir, save, inbound, messageAt, media } = setUp();
  const secret = join(stateDir, "openclaw.json");
  writeFileSync(secret, "a secret");
  save("a.jpg", randomBytes(10));
  symlinkSync(secret, join(inbound, "link.jpg"));
  symlinkSync(stateDir, join(inbound, "folder"));
  mkdirSync(join(stateDir, "media", "inbound-of-another"));
  linkSync(secret, join(stateDir, "media", "inbound-of-another", "x"));
  const hostile = [
    secret,
    join(inbound, "link.jpg"),
    `${inbound}/../../openclaw.json`,
    `${inbound}/folder/openclaw.json`,
    join(stateDir, "media", "inbound-of-another", "x"),
    "/etc/passwd",
    "/dev/zero",
    `${inbound}/a.jpg\0.png`,
    inbound,
    `${inbound}/.`,
    `${inbound}/..`,
    "/",
    `${inbound}/${"x".repeat(300)}`,
  ];
  await intake.store(dispatched("M1", ...hostile.map((path) => ({ path }))));
  for (const item of messageAt(1).media) expect(item).toMatchObject({ omitted: OMITTED.unreadable, sha256: null });
  expect(messageAt(1).media).toHaveLength(hostile.length);
  expect(() => readdirSync(media)).toThrow("ENOENT");
});

test("a message with files has its place in the chat before they are copied", async () => {
  const { intake, outbox, save, ready } = setUp();
  const first = intake.store(dispatched("M1", save("a.jpg", randomBytes(1_000_000))));
  expect(outbox.get(1)).toMatchObject({ messageId: "M1", incomplete: true });
  const second = intake.store(dispatched("M2"));
  expect(ready).toEqual([2]);
  await Promise.all([first, second]);
  expect(ready).toEqual([2, 1]);
  expect(outbox.after(0, 10).map(({ seq }) => outbox.get(seq)?.messageId)).toEqual(["M1", "M2"]);
});

test("message_received waits for no copy; the complete capture takes its place and brings the files", async () => {
  const { intake, outbox, save, messageAt, ready } = setUp(LONG);
  const fact = save("a.jpg", randomBytes(1_000));
  await intake.store(received("M1", fact), "unlikely consumed");
  expect(outbox.get(1)).toMatchObject({ incomplete: true, sources: [fact.path] });
  await intake.store(dispatched("M1", fact));
  expect(ready).toEqual([1]);
  expect(messageAt(1)).toMatchObject({ media: [{ size_bytes: 1_000 }], raw: { ChatType: "direct" } });
  expect(outbox.totals()).toMatchObject({ waiting: 1, files: 1 });
});

/** Does something while the first file that is to be copied is being copied. */
function whileCopying(act: () => void, at = "copy:before-write"): void {
  const listen = (failpoint: unknown) => {
    if (failpoint !== at) return;
    unsubscribe("hotbags:failpoint", listen);
    act();
  };
  subscribe("hotbags:failpoint", listen);
  onTestFinished(() => void unsubscribe("hotbags:failpoint", listen));
}

test("a hook waits no longer for an outbox that fails behind its message than for one that fails before it", async () => {
  const { file, intake, outbox, save, messageAt, ready } = setUp({ hookWaitMs: 1, copyMs: 600_000 });
  const bytes = randomBytes(1_000);
  const other = new DatabaseSync(file);
  onTestFinished(() => other.close());
  whileCopying(() => other.exec("BEGIN IMMEDIATE"), "copied:before-commit");
  await intake.store(dispatched("M1", save("1.jpg", bytes)));
  expect(ready).toEqual([]);
  expect(outbox.incomplete()).toEqual([1]);
  other.exec("ROLLBACK");
  await until("ready", () => ready.length === 1);
  expect(messageAt(1).media).toMatchObject([{ sha256: sha256Of(bytes) }]);
});

const GROUP = { GroupSubject: "Red bags", WasMentioned: true };

test.each([
  ["the same file", 1],
  ["another one besides", 2],
])("the complete capture that comes while message_received's file is copied goes out, with %s", async (_, count) => {
  const { intake, outbox, save, messageAt, ready, media } = setUp({ incompleteMs: 1 });
  const files = [randomBytes(1_000), randomBytes(2_000)].slice(0, count);
  const facts = files.map((bytes, n) => save(`${n}.jpg`, bytes));
  let completed: Promise<void> | undefined;
  whileCopying(() => {
    const context = directContext({ MessageSid: "M1", media: facts, ...GROUP });
    const complete = captureDispatched(context, Date.now());
    if (complete !== undefined) completed = intake.store(complete);
  });
  await intake.store(received("M1", ...facts.slice(0, 1)), "unlikely consumed");
  await until("ready", () => ready.length === 1);
  await completed;
  expect(messageAt(1).raw).toMatchObject({ ...GROUP, ChatType: "direct" });
  expect(messageAt(1).media).toMatchObject(files.map((bytes) => ({ sha256: sha256Of(bytes) })));
  for (const item of messageAt(1).media) expect(item).not.toHaveProperty("omitted");
  expect(ready).toEqual([1]);
  expect(outbox.totals()).toMatchObject({ waiting: 1, files: count });
  expect(readdirSync(media).toSorted()).toEqual(files.map(sha256Of).toSorted());
});

test("the complete capture that another instance gets while message_received's file is copied here goes out", async () => {
  const { create, outbox, save, messageAt, ready } = setUp({ incompleteMs: 1 });
  const bytes = randomBytes(1_000);
  const fact = save("a.jpg", bytes);
  const seen = received("M1", fact);
  outbox.put(seen, Date.now(), true);
  const other = create();
  let completed: Promise<void> | undefined;
  whileCopying(() => {
    const complete = captureDispatched(directContext({ MessageSid: "M1", media: [fact], ...GROUP }), Date.now());
    if (complete !== undefined) completed = other.store(complete);
  });
  create().adoptIncomplete();
  await until("ready", () => ready.length === 1);
  await completed;
  expect(messageAt(1)).toMatchObject({ raw: GROUP, media: [{ sha256: sha256Of(bytes) }] });
  expect(ready).toEqual([1]);
});

test("what only message_received has seen is copied before it goes", async () => {
  const { intake, save, messageAt, ready } = setUp({ incompleteConsumedMs: 1 });
  const bytes = randomBytes(1_000);
  await intake.store(received("M1", save("a.jpg", bytes)), "likely consumed");
  await until("released", () => ready.length === 1);
  expect(messageAt(1).media[0]).toMatchObject({ sha256: sha256Of(bytes) });
  expect(messageAt(1).media[0]).not.toHaveProperty("omitted");
});

test("a message whose copying was broken off is taken over by the next instance, in its complete form", async () => {
  const { intake, create, outbox, save, messageAt, ready } = setUp({ ...LONG, stopMs: 0 }, 100_000_000);
  const bytes = randomBytes(1_000_000);
  const facts = Array.from({ length: 20 }, (_, n) => save(`${n}.jpg`, Buffer.concat([bytes.subarray(n)])));
  const hook = intake.store(dispatched("M1", ...facts));
  await intake.stop();
  await hook;
  expect(outbox.get(1)?.incomplete).toBe(true);
  const next = create();
  await next.store(dispatched("M1", ...facts));
  expect(ready).toEqual([1]);
  expect(messageAt(1).media.filter(({ omitted }) => omitted !== undefined)).toEqual([]);
  expect(outbox.totals()).toMatchObject({ waiting: 1, files: 20 });
});

test("incomplete messages of a killed instance get their files", async () => {
  const { create, outbox, save, messageAt, ready } = setUp({ incompleteMs: 1 });
  const bytes = randomBytes(1_000);
  outbox.put(dispatched("M1", save("a.jpg", bytes)), Date.now());
  create().adoptIncomplete();
  await until("released", () => ready.length === 1);
  expect(messageAt(1).media[0]).toMatchObject({ sha256: sha256Of(bytes) });
});

test("two instances that copy the same message leave one message with its file", async () => {
  const { intake, create, outbox, save, media, ready } = setUp();
  const bytes = randomBytes(500_000);
  const fact = save("a.jpg", bytes);
  await Promise.all([intake.store(dispatched("M1", fact)), create().store(dispatched("M1", fact))]);
  expect(ready).toHaveLength(1);
  expect(readdirSync(media)).toEqual([sha256Of(bytes)]);
  expect(outbox.totals()).toMatchObject({ waiting: 1, files: 1 });
});

test("a hook that comes after the stop still has its file copied before it returns", async () => {
  const { intake, save, messageAt } = setUp();
  await intake.stop();
  const bytes = randomBytes(500_000);
  await intake.store(dispatched("M1", save("a.jpg", bytes)));
  expect(messageAt(1).media[0]).toMatchObject({ sha256: sha256Of(bytes) });
});

test("while the outbox fails a message with files waits in memory, keeps its order, and is copied when it works again", async () => {
  const { intake, save, file, ready } = setUp({ ...LONG, hookWaitMs: 60_000 });
  const away = `${dirname(file)}-away`;
  renameSync(dirname(file), away);
  writeFileSync(dirname(file), "in the way");
  const bytes = randomBytes(1_000);
  await intake.stop();
  const broken = new Intake(
    () => new Outbox(file),
    { inbound: join(dirname(dirname(file)), "media", "inbound"), maxFileBytes: () => MAX_FILE_BYTES },
    memoryLog(),
    (seq) => ready.push(seq),
    { ...INTAKE_LIMITS, ...LONG, retryMs: 1, hookWaitMs: 60_000 },
  );
  onTestFinished(() => broken.stop());
  const fact = save("a.jpg", bytes);
  await broken.store(received("M1", fact), "unlikely consumed");
  const stores = [broken.store(dispatched("M1", fact)), broken.store(dispatched("M2"))];
  expect(broken.inMemory).toBe(2);
  rmSync(dirname(file));
  renameSync(away, dirname(file));
  await Promise.all(stores);
  const outbox = new Outbox(file);
  onTestFinished(() => outbox.close());
  expect(outbox.after(0, 10).map(({ seq }) => outbox.get(seq)?.messageId)).toEqual(["M1", "M2"]);
  expect(JSON.parse(outbox.get(1)?.body ?? "{}")).toMatchObject({
    media: [{ sha256: sha256Of(bytes) }],
    raw: { ChatType: "direct" },
  });
});

test("at the start files that no message has are removed, and copies in the making of other processes", async () => {
  const { intake, save, media } = setUp();
  const bytes = randomBytes(10);
  await intake.store(dispatched("M1", save("a.jpg", bytes)));
  writeFileSync(join(media, sha256Of(randomBytes(9))), "nobody's");
  writeFileSync(join(media, "1-2-3.part"), "half");
  writeFileSync(join(media, "a note of the operator"), "stays");
  await intake.sweep();
  expect(readdirSync(media).sort()).toEqual([sha256Of(bytes), "a note of the operator"].sort());
});
