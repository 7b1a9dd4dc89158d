import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { gzipSync } from "node:zlib";
import { VERSION } from "@hotbags/shared";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, BEN, messageOf } from "../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../test/simulated-clock.ts";
import { type CommandFromResponse, openStore, SCHEMA, type Store, StoreUnusableError } from "../store/index.ts";
import { ArchiveDamagedError, writeArchive } from "./archive.ts";
import { BackupRefusedError, backUp } from "./backup.ts";
import { checkBackup, type RestoreParts, restore } from "./restore.ts";

let dir: string;
let stateDir: string;
let clock: SimulatedClock;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-backup-"));
  stateDir = join(dir, "state");
  clock = new SimulatedClock();
  store = openStore(stateDir, clock);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

const now = () => clock.now();
const report = () => {};
const backup = (name = "backup.tar", force = false) => backUp({ stateDir, file: join(dir, name), force, now, report });
const restoreTo = (folder: string, changes: Partial<RestoreParts> = {}) =>
  restore({
    stateDir: folder,
    file: join(dir, "backup.tar"),
    force: false,
    lostUntil: null,
    who: "anna",
    now,
    ...changes,
  });
const command = (id: string): CommandFromResponse => ({
  ...{ commandId: id, type: "send_text", text: id, payload: id, refusal: null },
});
const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

async function putFile(bytes: Buffer): Promise<string> {
  const body = (async function* () {
    yield bytes;
  })();
  expect(await store.files.receive(sha256(bytes), { offset: 0, length: bytes.length, body })).toMatchObject({
    kind: "whole",
  });
  return sha256(bytes);
}

async function takeIn(id: string, chat = ANNA, files: Buffer[] = [], at = now()): Promise<number> {
  const media = [];
  for (const bytes of files) {
    const item = { type: "image" as const, mime_type: null, file_name: null, size_bytes: bytes.length };
    media.push({ ...item, sha256: await putFile(bytes) });
  }
  const timestamp = new Date(at).toISOString();
  return (await store.messages.accept(messageOf(id, chat, { media, timestamp }))).seq;
}

/** Opens what was restored, in the place of the store. */
function reopen(folder: string): Store {
  store.close();
  store = openStore(folder, clock);
  return store;
}

describe("a backup", () => {
  it("is one whole file of its owner's, with all that was acknowledged", async () => {
    await takeIn("A", ANNA, [randomBytes(200_000), randomBytes(10)]);
    const { file, manifest } = await backup();
    expect(manifest).toMatchObject({ format: 1, schema: SCHEMA, made_at: new Date(now()).toISOString(), lost: [] });
    expect(manifest.files).toHaveLength(2);
    for (const path of [file, join(stateDir, "bridge.lock")]) expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await checkBackup(file)).toEqual(manifest);
    expect(readdirSync(dir).sort()).toEqual(["backup.tar", "state"]);
    expect(readdirSync(stateDir).filter((name) => name.startsWith("."))).toEqual([]);
  });

  it("never takes the place of a file, unless that is said", async () => {
    writeFileSync(join(dir, "backup.tar"), "somebody's");
    await expect(backup()).rejects.toThrow(BackupRefusedError);
    expect(readFileSync(join(dir, "backup.tar"), "utf8")).toBe("somebody's");
    await backup("older.tar");
    renameSync(join(dir, "older.tar"), join(dir, "backup.tar"));
    await takeIn("A");
    await backup("backup.tar", true);
    expect(await checkBackup(join(dir, "backup.tar"))).toMatchObject({ format: 1 });
  });

  it("takes no other file's place, and none among the state's own, also where that is said", async () => {
    const database = join(stateDir, "bridge.sqlite");
    const over = (file: string) => backUp({ stateDir, file, force: true, now, report });
    await expect(over(database)).rejects.toThrow(/is no backup/);
    await expect(over(join(stateDir, "bridge.sqlite-journal"))).rejects.toThrow(/ends in \.tar/);
    const secrets = join(dir, "sidecar.env");
    writeFileSync(secrets, "BRIDGE_TOKEN=x");
    await expect(over(secrets)).rejects.toThrow(/is no backup/);
    expect(readFileSync(secrets, "utf8")).toBe("BRIDGE_TOKEN=x");
    expect((await over(join(stateDir, "here.tar"))).bytes).toBeGreaterThan(0);
    expect((await over(join(stateDir, "here.tar"))).bytes).toBeGreaterThan(0);
  });

  it("of a folder that is named from here has its attachments", async () => {
    await takeIn("A", ANNA, [randomBytes(100)]);
    const file = join(dir, "relative.tar");
    const { manifest } = await backUp({ stateDir: relative(process.cwd(), stateDir), file, force: false, now, report });
    expect(manifest.files).toHaveLength(1);
  });

  it("says which attachments the disk has lost before", async () => {
    const [gone, changed, whole] = [randomBytes(10), randomBytes(10), randomBytes(10)];
    await takeIn("A", ANNA, [gone, changed, whole]);
    rmSync(join(stateDir, "media", sha256(gone)));
    writeFileSync(join(stateDir, "media", sha256(changed)), randomBytes(10));
    const { manifest } = await backup();
    expect(manifest.lost).toEqual([sha256(gone), sha256(changed)].sort());
    expect(manifest.files.map((file) => file.sha256)).toEqual([sha256(whole)]);
    await restoreTo(join(dir, "other"));
    expect(reopen(join(dir, "other")).files.sizeOf(sha256(whole))).toBe(10);
  });

  it("is not made of a damaged database", async () => {
    for (let n = 0; n < 50; n += 1) await takeIn(`M${n}`, `+1555000${2_000 + n}`, [], now());
    store.close();
    const file = join(stateDir, "bridge.sqlite");
    const bytes = readFileSync(file);
    bytes.fill(0xff, bytes.length - 4_096 * 3, bytes.length - 4_096 * 2);
    writeFileSync(file, bytes);
    await expect(backup()).rejects.toThrow(StoreUnusableError);
    expect(readdirSync(dir)).toEqual(["state"]);
  });
});

describe("a backup that is no backup", () => {
  const makeAll = async () => {
    await takeIn("A", ANNA, [randomBytes(100_000)]);
    return readFileSync((await backup()).file);
  };
  const cases: [string, (whole: Buffer) => Buffer, RegExp][] = [
    ["has a flipped bit in an attachment", (all) => flip(all, all.length - 20_000), /is damaged: media/],
    ["has a flipped bit in the database", (all) => flip(all, 20_000), /is damaged: bridge.sqlite/],
    ["is cut off", (all) => all.subarray(0, all.length >> 1), /cut off|damaged/],
    ["is empty", () => Buffer.alloc(0), /no tar archive/],
    ["is something else", () => Buffer.from("something else\n".repeat(1_000)), /no tar archive|no backup/],
  ];
  it.each(cases)("since it %s is refused, and nothing is touched", async (_, spoil, says) => {
    writeFileSync(join(dir, "backup.tar"), spoil(await makeAll()));
    const error = await restoreTo(join(dir, "other")).catch((thrown: Error) => thrown);
    expect(error).toBeInstanceOf(ArchiveDamagedError);
    expect((error as Error).message).toMatch(says);
    expect(existsSync(join(dir, "other", "bridge.sqlite"))).toBe(false);
  });

  it.each([
    ["a folder", () => dir, /is a folder: name the file/],
    ["a device that never ends", () => "/dev/zero", /is no regular file/],
    ["a pipe", () => makePipe(), /is no regular file/],
  ])("since it is %s is refused before anything is read", async (_, at, says) => {
    const file = at();
    for (const tried of [checkBackup(file), restoreTo(join(dir, "other"), { file })])
      await expect(tried).rejects.toThrow(says);
    await expect(backUp({ stateDir, file, force: true, now, report })).rejects.toThrow(/no regular file/);
  });

  it("shows nothing of what a hostile one is called, nor of its release", async () => {
    const { file } = await backup();
    const bytes = readFileSync(file, "latin1");
    writeFileSync(file, rename(bytes, "bridge.sqlite", "bridge\u001b[2Jite"), "latin1");
    const strange = await checkBackup(file).catch((error: Error) => error.message);
    expect(strange).toMatch(/has what its list has not: an entry whose name can't be shown$/);
    const version = `"version": "${VERSION}"`;
    const hostile = `"version": "${"\\n".repeat(2)}"`.padEnd(version.length);
    writeFileSync(file, bytes.replace(version, hostile), "latin1");
    expect(await checkBackup(file)).toMatchObject({ version: "unknown" });
  });

  it("since its database is somebody else's is refused, with that as the reason", async () => {
    const { file } = await backup();
    const folder = join(dir, "foreign");
    mkdirSync(folder);
    const db = new Database(join(folder, "bridge.sqlite"));
    db.exec(`CREATE TABLE chats (id); PRAGMA user_version = ${SCHEMA}`);
    db.close();
    const contents = await checkBackup(file);
    const bytes = readFileSync(join(folder, "bridge.sqlite"));
    rmSync(file);
    await writeArchive(file, folder, { ...contents, database: { bytes: bytes.length, sha256: sha256(bytes) } });
    const error = await restoreTo(join(dir, "other")).catch((thrown: Error) => thrown.message);
    expect(error).toMatch(
      /the database in the backup is none that a release of hotbags has made.*restore another backup/,
    );
    expect(existsSync(join(dir, "other", "bridge.sqlite"))).toBe(false);
  });

  it("but is only compressed is one", async () => {
    writeFileSync(join(dir, "backup.tar"), gzipSync(await makeAll()));
    expect(await restoreTo(join(dir, "other"))).toMatchObject({ kept: null });
    expect(await reopen(join(dir, "other")).counters()).toMatchObject({ accepted: 1, pending: 1 });
  });
});

function makePipe(): string {
  const path = join(dir, "pipe");
  execFileSync("mkfifo", [path]);
  return path;
}

/** The archive with one of its entries under another name of the same length, and a header whose sum is right. */
function rename(archive: string, name: string, other: string): string {
  const at = archive.indexOf(`${name}\0`);
  const header = archive.slice(at, at + 512).replace(name, other);
  const blank = `${header.slice(0, 148)}${" ".repeat(8)}${header.slice(156)}`;
  const sum = Buffer.from(blank, "latin1").reduce((total, byte) => total + byte, 0);
  const checked = `${header.slice(0, 148)}${sum.toString(8).padStart(6, "0")}\0 ${header.slice(156)}`;
  return archive.slice(0, at) + checked + archive.slice(at + 512);
}

function flip(bytes: Buffer, at: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
}

describe("a restore", () => {
  it("is refused while a sidecar runs, and over a state that is there", async () => {
    await takeIn("A");
    await backup();
    await expect(restoreTo(stateDir, { force: true })).rejects.toThrow(/a sidecar that runs/);
    await takeIn("B");
    store.close();
    await expect(restoreTo(stateDir)).rejects.toThrow(/there is a state in .* already/);
    expect(await reopen(stateDir).counters()).toMatchObject({ accepted: 2 });
  });

  it("is refused where what is lost would end before the backup was made", async () => {
    await backup();
    const lostUntil = clock.now() - 86_400_000;
    await expect(restoreTo(join(dir, "other"), { lostUntil })).rejects.toThrow(/nothing of before is lost/);
    expect(existsSync(join(dir, "other", "bridge.sqlite"))).toBe(false);
  });

  it("keeps what was there, with all of it", async () => {
    const [before, after] = [randomBytes(10), randomBytes(10)];
    await takeIn("A", ANNA, [before]);
    await backup();
    await takeIn("B", ANNA, [after]);
    store.close();
    const { kept } = await restoreTo(stateDir, { force: true });
    expect(await reopen(stateDir).counters()).toMatchObject({ accepted: 1 });
    expect([sha256(before), sha256(after)].map((name) => store.files.sizeOf(name))).toEqual([10, undefined]);
    expect(await reopen(kept ?? "").counters()).toMatchObject({ accepted: 2 });
    expect([sha256(before), sha256(after)].map((name) => store.files.sizeOf(name))).toEqual([10, 10]);
  });

  it("is refused of a newer release's backup, and over a newer release's database", async () => {
    await backup();
    store.close();
    const newer = new Database(join(stateDir, "bridge.sqlite"));
    newer.pragma(`user_version = ${SCHEMA + 1}`);
    await expect(restoreTo(stateDir, { force: true })).rejects.toThrow(/written by a newer release/);
    newer.pragma(`user_version = ${SCHEMA}`);
    newer.close();
    const file = join(dir, "backup.tar");
    const text = readFileSync(file, "latin1").replace(`"schema": ${SCHEMA}`, `"schema": ${SCHEMA + 1}`);
    writeFileSync(file, text, "latin1");
    await expect(restoreTo(join(dir, "other"))).rejects.toThrow(/made by a newer release/);
  });

  it("that was cut off keeps the sidecar from starting until it is done", async () => {
    await takeIn("A");
    await backup();
    store.close();
    writeFileSync(join(stateDir, "restore.unfinished"), "before-restore-then\n");
    rmSync(join(stateDir, "bridge.sqlite"));
    expect(() => openStore(stateDir, clock)).toThrow(/was cut off.*before-restore-then/);
    await expect(restoreTo(stateDir)).rejects.toThrow(/already/);
    await restoreTo(stateDir, { force: true });
    expect(await reopen(stateDir).counters()).toMatchObject({ accepted: 1 });
  });

  it("leaves nothing of an earlier try in the way", async () => {
    await backup();
    mkdirSync(join(dir, "other", ".restore", "media"), { recursive: true });
    await restoreTo(join(dir, "other"));
    expect(readdirSync(join(dir, "other")).sort()).toEqual(["bridge.lock", "bridge.sqlite", "media"]);
  });
});

describe("after a restore", () => {
  const doubtful = async () => {
    const doubts = (await store.commands.inDoubt(100)).map((id) => store.commands.get(id));
    return (await Promise.all(doubts)).map(({ command_id }) => command_id);
  };
  const ledger = async () => {
    const counts = await store.counters();
    const { accepted, delivered, pending, dead, discarded } = counts;
    expect(accepted).toBe(delivered + pending + dead + discarded);
    return counts;
  };

  it("what waited to be sent, was being sent or was in the gateway's queue is in doubt", async () => {
    const seq = await takeIn("A");
    await store.messages.delivered(seq, 200, "{}", ["sent", "sending", "queued", "waiting"].map(command));
    for (const id of [1, 2, 3]) await store.commands.sending(id, "boot-1");
    await store.commands.settled(1, "sent", { reason: null, whatsappMessageId: "WA" });
    await store.commands.settled(3, "queued_by_gateway", { reason: "not connected", whatsappMessageId: null });
    await backup();
    expect((await restoreTo(join(dir, "other"))).doubted).toEqual({ commands: 3, messages: 0 });
    reopen(join(dir, "other"));
    expect((await doubtful()).sort()).toEqual(["queued", "sending", "waiting"]);
    expect(await store.commands.nextOf(1)).toBeUndefined();
    const counts = { commands_sent: 1, commands_in_doubt: 3, commands_pending: 0, commands_sending: 0 };
    expect(await ledger()).toMatchObject({ ...counts, commands_queued_by_gateway: 0 });
    expect(await store.operator.audit(null, 1)).toMatchObject([{ who: "anna", kind: "restore" }]);
  });

  it("a reply to what was there, or was written before its end, is in doubt, and one to what came later is not", async () => {
    const waiting = await takeIn("waiting", ANNA);
    const dead = await takeIn("dead", BEN);
    await store.messages.dead(dead, 422, "refused");
    await backup();
    clock.advance(3_600_000);
    await restoreTo(join(dir, "other"), { lostUntil: now() - 1_800_000 });
    reopen(join(dir, "other"));
    await store.operator.retry(dead, "anna");
    const old = await takeIn("in the time that is lost", BEN, [], now() - 1_800_000);
    const young = await takeIn("after it", BEN, [], now() - 1_799_999);
    const outcomes = [];
    for (const seq of [waiting, dead, old, young]) {
      const [recorded] = await store.messages.delivered(seq, 200, "{}", [command(`to ${seq}`)]);
      outcomes.push(recorded?.outcome);
    }
    expect(outcomes).toEqual(["in_doubt", "in_doubt", "in_doubt", "pending"]);
    expect(await ledger()).toMatchObject({ delivered: 4, dead: 0, commands_in_doubt: 3, commands_pending: 1 });
  });

  it("a command that the backup remembers is neither sent nor in doubt", async () => {
    const [first, second] = [await takeIn("A"), await takeIn("B")];
    await store.messages.delivered(first, 200, "{}", [command("order-17")]);
    await store.commands.sending(1, "boot-1");
    await store.commands.settled(1, "sent", { reason: null, whatsappMessageId: "WA" });
    await backup();
    await restoreTo(join(dir, "other"));
    reopen(join(dir, "other"));
    expect(await store.messages.delivered(second, 200, "{}", [command("order-17")])).toMatchObject([
      { outcome: "repeated" },
    ]);
    expect(await ledger()).toMatchObject({ commands_sent: 1, commands_in_doubt: 0 });
  });

  it("an order about a chat is obeyed as ever", async () => {
    const seq = await takeIn("A");
    await backup();
    await restoreTo(join(dir, "other"));
    reopen(join(dir, "other"));
    const pause = {
      ...command("pause"),
      order: { kind: "pause" as const, forMs: 60_000, replies: "hold" as const },
    };
    expect(await store.messages.delivered(seq, 200, "{}", [pause])).toMatchObject([{ outcome: "done" }]);
    expect((await store.look()).pausedChats).toBe(1);
  });
});
