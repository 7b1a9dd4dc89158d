import { randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Databases, running, startDatabases, urlOf } from "../../../../test/fleet/databases.ts";
import { messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { until } from "../../../../test/until.ts";
import { systemTimers, type Timers } from "../../clock.ts";
import { isDamage, RowUnreadableError, StoreUnwritableError } from "../errors.ts";
import { Connection } from "./connection.ts";
import { openPostgresStore } from "./index.ts";

// Pages of the server's files that can't be read: only what is on them is lost.

const PAGE_BYTES = 8_192;
const HEAD_BYTES = 24;

let databases: Databases | string;
let stateDir: string;
beforeAll(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "hotbags-damage-"));
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  rmSync(stateDir, { recursive: true });
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

const open = (url: string, clock = new SimulatedClock(), timers: Timers = systemTimers) =>
  openPostgresStore({ url, owner: "here", accounts: ["default"], clock, timers, stateDir });

/** Too long for a row, and nothing that could be compressed. */
const long = () => randomBytes(30_000).toString("base64");

/** A copy of a database, made on the disk, in which pages are damaged. */
interface DamagedCopy {
  url: string;
  /** Undoes it. */
  mend(): void;
}

/** `what` names the tables: their rows, or their long texts alone. */
async function damagedCopyOf(url: string, tables: readonly string[], what: "rows" | "texts"): Promise<DamagedCopy> {
  const { server, host } = running({ skip: () => expect.unreachable() }, databases);
  const source = new Connection({ url, connections: 1 });
  const files = await source.rows<{ path: string; name: string }>(
    `SELECT pg_relation_filepath(${what === "rows" ? "oid" : "reltoastrelid"}) AS path, current_database() AS name
     FROM pg_class WHERE relname = ANY ($1)`,
    tables,
  );
  await source.close();
  // No page of a copy is in the server's memory yet.
  const name = `damaged_${files[0]?.name}`;
  await server.rows(`CREATE DATABASE ${name} TEMPLATE ${files[0]?.name} STRATEGY file_copy`);
  const [copy] = await server.rows<{ oid: string }>(`SELECT oid::text FROM pg_database WHERE datname = '${name}'`);
  const folder = join(host, "data", "base", copy?.oid ?? "");
  const mend = files.map(({ path }) => destroy(join(folder, path.split("/").at(-1) ?? "")));
  return { url: urlOf(host, name), mend: () => mend.forEach((one) => void one()) };
}

/** The head of each of its pages. Returns how to undo that. */
function destroy(file: string): () => void {
  const bytes = readFileSync(file);
  expect(bytes.length).toBeGreaterThan(0);
  const heads = Array.from({ length: bytes.length / PAGE_BYTES }, (_, n) => n * PAGE_BYTES);
  const write = (headAt: (at: number) => Buffer) => {
    const fd = openSync(file, "r+");
    for (const at of heads) writeSync(fd, headAt(at), 0, HEAD_BYTES, at);
    closeSync(fd);
  };
  write(() => Buffer.alloc(HEAD_BYTES, 0xff));
  return () => write((at) => bytes.subarray(at, at + HEAD_BYTES));
}

it("a message or a command on a damaged page is named, given up, and passed by all others", async (test) => {
  const url = await running(test, databases).make();
  const before = await open(url);
  const accept = (id: string, text: string) => before.messages.accept(messageOf(id, undefined, { text }));
  const [answered, lost] = [await accept("answered", "short"), await accept("lost", long())];
  await accept("behind", "short");
  const command = (commandId: string, text: string) => ({
    ...{ commandId, type: "send_text", text, payload: commandId, refusal: null },
  });
  await before.messages.delivered(answered.seq, 200, "{}", [command("c1", long()), command("c2", "short")]);
  await before.close();

  const damaged = await damagedCopyOf(url, ["payloads", "commands"], "texts");
  const store = await open(damaged.url);
  try {
    const unread = await store.messages.headOf(lost.chat).catch((error: unknown) => error);
    expect(unread).toBeInstanceOf(RowUnreadableError);
    expect(unread).toMatchObject({ row: lost.seq, message: expect.stringContaining("XX001") });
    // Whoever can't wait is told that it may be everybody's, until a message that there is not has come through.
    expect([isDamage(unread), store.check(unread)]).toEqual([true, false]);
    expect(store.outage).toMatchObject({ isDamage: true });
    expect(store.damage).toMatchObject({ failure: expect.stringContaining("can't be read") });
    await until("it is known that it is its own", () => store.outage === null);
    expect([store.check(unread), store.outage]).toEqual([true, null]);
    await store.messages.giveUp(lost.seq, false);
    expect((await store.messages.headOf(lost.chat))?.message_id).toBe("behind");
    expect(await store.counters()).toMatchObject({ accepted: 3, delivered: 1, dead: 1, pending: 1 });

    const unsent = await store.commands.nextOf(lost.chat).catch((error: unknown) => error);
    expect(unsent).toBeInstanceOf(RowUnreadableError);
    const { row } = unsent as RowUnreadableError;
    await expect(store.commands.get(row)).rejects.toThrow(RowUnreadableError);
    await store.commands.passOver(row, "pending", "failed");
    expect((await store.commands.nextOf(lost.chat))?.command_id).toBe("c2");
    expect(await store.counters()).toMatchObject({ commands_failed: 1, commands_pending: 1 });
  } finally {
    await store.close();
  }
});

it("what can't be forgotten for a damaged page is said, and all else is forgotten", async (test) => {
  const url = await running(test, databases).make();
  const before = await open(url);
  for (const [id, text] of [
    ["A", "short"],
    ["B", long()],
    ["C", "short"],
  ] as const) {
    const { seq } = await before.messages.accept(messageOf(id, undefined, { text }));
    await before.messages.delivered(seq, 200, "{}", []);
  }
  await before.close();
  const damaged = await damagedCopyOf(url, ["payloads"], "texts");
  const clock = new SimulatedClock();
  const store = await open(damaged.url, clock);
  const direct = new Connection({ url: damaged.url, connections: 1 });
  try {
    clock.advance(31 * 24 * 3_600_000);
    const keep = { textsDays: 30, keysDays: 90, deadLettersDays: 90 };
    await expect(store.retention.sweep(keep)).rejects.toThrow(/^1 message\(s\) can't be forgotten/);
    expect(store.outage).toBeNull();
    expect(await direct.rows("SELECT message_id FROM messages WHERE has_text")).toEqual([{ message_id: "B" }]);
  } finally {
    await direct.close();
    await store.close();
  }
});

it("damage that each message meets is an outage, in which none is given up, until it is mended", async (test) => {
  const url = await running(test, databases).make();
  const before = await open(url);
  const { seq } = await before.messages.accept(messageOf("A"));
  await before.close();
  const damaged = await damagedCopyOf(url, ["counters"], "rows");
  let probes = 0;
  const timers: Timers = {
    after(ms, wake) {
      if (ms < 2_000) probes += 1;
      return systemTimers.after(ms, wake);
    },
  };
  const store = await open(damaged.url, new SimulatedClock(), timers);
  try {
    const ends = await Promise.allSettled([
      store.messages.accept(messageOf("B")),
      store.messages.delivered(seq, 200, "{}", []),
      store.messages.giveUp(seq, false),
    ]);
    for (const end of ends) expect(end).toMatchObject({ reason: expect.any(StoreUnwritableError) });
    expect(store.outage).toMatchObject({ isDamage: true, failure: expect.stringContaining("XX001") });
    await until("it was probed twice", () => probes > 2);
    expect(store.outage).toMatchObject({ isDamage: true });
    damaged.mend();
    await until("it is mended", () => store.outage === null);
    expect(await store.messages.accept(messageOf("B"))).toMatchObject({ duplicate: false });
    // Nothing of what was only rehearsed is there.
    expect(await store.counters()).toMatchObject({ accepted: 2, pending: 2, delivered: 0, commands_sent: 0 });
    expect((await store.messages.laneHeads()).length).toBe(1);
  } finally {
    await store.close();
  }
});
