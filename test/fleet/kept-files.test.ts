import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { type MediaItem, OMITTED } from "../../shared/src/index.ts";
import { systemTimers } from "../../sidecar/src/clock.ts";
import { Body, findLost } from "../../sidecar/src/relay/body.ts";
import { DEFAULT_MEDIA_LIMITS, type PendingMessage } from "../../sidecar/src/store/index.ts";
import { Connection } from "../../sidecar/src/store/postgres/connection.ts";
import { openPostgresStore, type PostgresStore } from "../../sidecar/src/store/postgres/index.ts";
import { ANNA, messageOf } from "../sidecar/message.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// The bytes of files are in the database as long as they wait with a message: another machine sends them along.

const PATIENCE_MS = 60_000;
/** More than one piece of a file, and not a whole number of them. */
const SIZE = 2_500_001;
const KEEP = { textsDays: 14, keysDays: 90, deadLettersDays: 90 };

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

/** A machine with a sidecar's store, and a folder of its own. */
interface Machine {
  dir: string;
  store: PostgresStore;
  /** Ends; its folder stays, where nobody else sees it. */
  stop(): Promise<void>;
}

async function fleet(test: TestContext) {
  const here = running(test, databases);
  const url = await here.make();
  const direct = new Connection({ url, connections: 1 });
  const machines: Machine[] = [];
  const start = async (limits: Partial<typeof DEFAULT_MEDIA_LIMITS> = {}): Promise<Machine> => {
    const dir = mkdtempSync(join(tmpdir(), "hotbags-kept-"));
    const store = await openPostgresStore({
      ...{ url, owner: `machine ${machines.length}`, stateDir: dir, clock: new SimulatedClock(), timers: systemTimers },
      // The first one has the gateway of the account.
      ...{ accounts: machines.length === 0 ? ["default"] : [], leaseMs: { ttl: 60_000, renew: 1_000, ask: 100 } },
      limits: { ...DEFAULT_MEDIA_LIMITS, ...limits },
    });
    let stopped: Promise<void> | undefined;
    const stop = () => (stopped ??= store.close());
    machines.push({ dir, store, stop });
    return { dir, store, stop };
  };
  return {
    start,
    rows: direct.rows.bind(direct),
    /** The files in the database, by name, with how many bytes of each. */
    kept: async () =>
      Object.fromEntries(
        (
          await direct.rows<{ sha256: string; bytes: number }>(
            `SELECT sha256, coalesce(sum(length(bytes)), 0)::int AS bytes FROM kept_files LEFT JOIN kept_pieces USING (sha256)
             GROUP BY sha256`,
          )
        ).map(({ sha256, bytes }) => [sha256, bytes]),
      ),
    /** So many minutes pass, by what the database has written down of files. */
    age: (minutes: number) =>
      direct.rows("UPDATE kept_files SET kept_at = kept_at - $1 * interval '1 minute'", minutes),
    async [Symbol.asyncDispose]() {
      for (const { dir, stop } of machines) {
        await stop();
        rmSync(dir, { recursive: true });
      }
      await direct.close();
      here.giveBack(url);
    },
  };
}

const hashOf = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

/** The machine's plugin brings a file. */
async function upload({ store }: Machine, bytes: Buffer): Promise<MediaItem & { sha256: string }> {
  const sha256 = hashOf(bytes);
  const body = (async function* () {
    yield bytes;
  })();
  expect(await store.files.receive(sha256, { offset: 0, length: bytes.length, body })).toMatchObject({ kind: "whole" });
  return { type: "image", mime_type: "image/jpeg", file_name: null, size_bytes: bytes.length, sha256 };
}

async function accept({ store }: Machine, id: string, media: MediaItem[]): Promise<number> {
  return (await store.messages.accept(messageOf(id, ANNA, { media }))).chat;
}

/** The account is this machine's from here on, if it is nobody's. */
async function headOf({ store }: Machine, chat: number): Promise<PendingMessage> {
  store.want("default", { beside: true });
  return await until("the message is the machine's", () => store.messages.headOf(chat), PATIENCE_MS);
}

/** The bytes that its POST would have, once what is lost of it is looked for. */
async function bodyOf({ store }: Machine, message: PendingMessage): Promise<Buffer> {
  expect(await findLost(message.inlined, store.files)).toEqual([]);
  const pieces: Buffer[] = [];
  for await (const piece of new Body(message, store.files).pieces()) pieces.push(piece);
  return Buffer.concat(pieces);
}

describe("files that wait on PostgreSQL", { timeout: 300_000 }, () => {
  it("are sent along by another machine, in the same bytes", async (test) => {
    await using it = await fleet(test);
    const [first, second] = [await it.start(), await it.start()];
    const photo = await upload(first, randomBytes(SIZE));
    const chat = await accept(first, "m1", [photo, await upload(first, Buffer.alloc(0))]);
    const body = await bodyOf(first, await headOf(first, chat));
    await first.stop();
    const message = await headOf(second, chat);
    expect(existsSync(join(second.dir, "media", photo.sha256))).toBe(false);
    expect((await bodyOf(second, message)).equals(body)).toBe(true);
    expect(second.store.files.status).toMatchObject({ count: 2, bytes: SIZE });
  });

  it("go on from what is here of them, and from the beginning where that is of other bytes", async (test) => {
    await using it = await fleet(test);
    const [first, second] = [await it.start(), await it.start()];
    const photo = randomBytes(SIZE);
    const { sha256, ...item } = await upload(first, photo);
    const chat = await accept(first, "m1", [{ sha256, ...item }]);
    const body = await bodyOf(first, await headOf(first, chat));
    await first.stop();
    const message = await headOf(second, chat);
    const whole = join(second.dir, "media", sha256);
    writeFileSync(`${whole}.part`, photo.subarray(0, 1_500_000));
    expect((await bodyOf(second, message)).equals(body)).toBe(true);
    rmSync(whole);
    writeFileSync(`${whole}.part`, randomBytes(1_500_000));
    expect((await bodyOf(second, message)).equals(body)).toBe(true);
  });

  it("are called lost where the database has other bytes, or none", async (test) => {
    await using it = await fleet(test);
    const [first, second] = [await it.start(), await it.start()];
    const media = [await upload(first, randomBytes(10)), await upload(first, randomBytes(20))];
    const whole = await upload(first, randomBytes(30));
    const chat = await accept(first, "m1", [...media, whole]);
    await it.rows("UPDATE kept_pieces SET bytes = $2 WHERE sha256 = $1", media[0]?.sha256, randomBytes(10));
    await it.rows("DELETE FROM kept_pieces WHERE sha256 = $1", media[1]?.sha256);
    await first.stop();
    const message = await headOf(second, chat);
    const lost = await findLost(message.inlined, second.store.files);
    expect(lost.map(({ position }) => position)).toEqual([0, 1]);
    const rest = await second.store.messages.filesLost(message, lost);
    const { media: sent } = JSON.parse((await bodyOf(second, rest)).toString());
    expect(sent).toMatchObject([{ omitted: OMITTED.lost }, { omitted: OMITTED.lost }, { size_bytes: 30 }]);
  });

  it("are called lost where what is in their place can neither be read nor thrown away", async (test) => {
    await using it = await fleet(test);
    const [first, second] = [await it.start(), await it.start()];
    const photo = await upload(first, randomBytes(10));
    const chat = await accept(first, "m1", [photo]);
    await first.stop();
    mkdirSync(join(second.dir, "media", photo.sha256));
    const message = await headOf(second, chat);
    expect(await findLost(message.inlined, second.store.files)).toEqual(message.inlined);
  });

  it("are in the database before their message is taken in, or it is refused", async (test) => {
    await using it = await fleet(test);
    const first = await it.start();
    const photo = await upload(first, randomBytes(SIZE));
    expect(await it.kept()).toEqual({ [photo.sha256]: SIZE });
    await it.rows("DELETE FROM kept_files");
    await expect(accept(first, "m1", [photo])).rejects.toMatchObject({ name: "FileMissingError" });
    // As the plugin asks before it hands the message in again.
    expect(await first.store.files.keep(photo.sha256)).toBe(SIZE);
    await accept(first, "m1", [photo]);
    expect(await it.kept()).toEqual({ [photo.sha256]: SIZE });
    await it.rows("DELETE FROM kept_files");
    expect(await first.store.messages.accept(messageOf("m1", ANNA, { media: [photo] }))).toMatchObject({
      duplicate: true,
    });
  });

  it("are not there where they are too large to go along", async (test) => {
    await using it = await fleet(test);
    const first = await it.start({ inlineBytes: 100 });
    const [small, large] = [await upload(first, randomBytes(100)), await upload(first, randomBytes(101))];
    await accept(first, "m1", [large, small]);
    expect(await it.kept()).toEqual({ [small.sha256]: 100 });
  });

  it("go when they wait no more, after an hour; those of a dead letter stay", async (test) => {
    await using it = await fleet(test);
    const first = await it.start();
    const [both, delivered, dead, unasked] = await Promise.all(
      [1, 2, 3, 4].map(() => upload(first, randomBytes(1_000))),
    );
    if (!both || !delivered || !dead || !unasked) return expect.unreachable();
    const chat = await accept(first, "m1", [both, delivered]);
    await accept(first, "m2", [both]);
    await accept(first, "m3", [dead]);
    const one = await headOf(first, chat);
    await first.store.messages.delivered(one.seq, 200, "{}", []);
    const waiting = await headOf(first, chat);
    const last = await first.store.messages.behind(chat, waiting.seq);
    await first.store.messages.dead(last?.seq ?? 0, 400, "no");
    await first.store.retention.sweep(KEEP);
    expect(Object.keys(await it.kept())).toHaveLength(4);
    await it.age(61);
    await first.store.retention.sweep(KEEP);
    expect(Object.keys(await it.kept()).sort()).toEqual([both.sha256, dead.sha256].sort());
  });

  it("that a message counts on at this moment are not deleted under it", async (test) => {
    await using it = await fleet(test);
    const first = await it.start();
    const photo = await upload(first, randomBytes(1_000));
    await it.age(61);
    const [accepted] = await Promise.allSettled([
      accept(first, "m1", [photo]),
      first.store.retention.sweep(KEEP),
      first.store.retention.sweep(KEEP),
    ]);
    const kept = Object.keys(await it.kept());
    expect(kept).toEqual(accepted.status === "fulfilled" ? [photo.sha256] : []);
  });

  it("are brought there by their account's owner where they are not: of a store that was moved here, or an older release", async (test) => {
    await using it = await fleet(test);
    const first = await it.start();
    const photo = await upload(first, randomBytes(SIZE));
    await accept(first, "m1", [photo]);
    await it.rows("DELETE FROM kept_files");
    await first.store.retention.sweep(KEEP);
    expect(await it.kept()).toEqual({ [photo.sha256]: SIZE });
  });

  it("of a customer who is forgotten are forgotten, but for those that another one has, too", async (test) => {
    await using it = await fleet(test);
    const first = await it.start();
    const [own, shared] = [await upload(first, randomBytes(10)), await upload(first, randomBytes(20))];
    await accept(first, "m1", [own, shared]);
    await first.store.messages.accept(messageOf("m2", "+15550009999", { media: [shared] }));
    const asked = { number: ANNA, includingWaiting: true, after: 0, forgotten: 0, left: 0 };
    expect(await first.store.operator.forget(asked, "test")).toMatchObject({ forgotten: 1 });
    expect(await it.kept()).toEqual({ [shared.sha256]: 20 });
  });

  it("wait for the database, and are not called lost, while it can't be read", async (test) => {
    await using it = await fleet(test);
    const [first, second] = [await it.start(), await it.start()];
    const chat = await accept(first, "m1", [await upload(first, randomBytes(10))]);
    await first.stop();
    const message = await headOf(second, chat);
    await it.rows("ALTER TABLE kept_pieces RENAME TO away");
    await expect(findLost(message.inlined, second.store.files)).rejects.toThrow(/kept_pieces/);
    await it.rows("ALTER TABLE away RENAME TO kept_pieces");
    await bodyOf(second, message);
  });

  it("wait for room in the folder, and are not called lost without it", async (test) => {
    await using it = await fleet(test);
    const [first, second] = [await it.start(), await it.start({ storeBytes: 25 })];
    const [photo, another] = [await upload(first, randomBytes(20)), await upload(first, randomBytes(10))];
    const chat = await accept(first, "m1", [photo, another]);
    await first.stop();
    const message = await headOf(second, chat);
    await expect(findLost(message.inlined, second.store.files)).rejects.toThrow(/no room/);
    second.store.adopt({ ...DEFAULT_MEDIA_LIMITS, storeBytes: 30 });
    await bodyOf(second, message);
  });
});
