import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { InboundMessage } from "@hotbags/shared";
import Database from "better-sqlite3";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { damage } from "../../../../test/sidecar/damage.ts";
import { systemClock } from "../../clock.ts";
import { type CommandFromResponse, openStore, type Store, StoreUnusableError } from "../index.ts";

let dir: string;
let store: Store;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-store-"));
  store = openStore(dir, systemClock);
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function message(id: string, chat = "+15550001000", account = "default"): InboundMessage {
  return {
    account_id: account,
    message_id: id,
    chat_id: chat,
    from: "+15550001000",
    text: `text of ${id}`,
    media: [],
    timestamp: "2026-03-01T12:00:00.000Z",
    raw: {},
  };
}

function command(id: string | null, text: string): CommandFromResponse {
  return { commandId: id, type: "send_text", text, payload: JSON.stringify(["send_text", text]), refusal: null };
}

async function expectLedger(counts: { accepted: number; delivered: number; pending: number; dead: number }) {
  expect(await store.counters()).toMatchObject(counts);
  expect(counts.accepted).toBe(counts.delivered + counts.pending + counts.dead);
}

function reopen() {
  store.close();
  store = openStore(dir, systemClock);
}

describe("messages", () => {
  it("accepts a message once, however often it comes", async () => {
    const first = await store.messages.accept(message("A"));
    const second = await store.messages.accept({ ...message("A"), text: "told again" });
    expect([first.duplicate, second.duplicate, second.seq]).toEqual([false, true, first.seq]);
    expect((await store.messages.headOf(first.chat))?.request).toContain("text of A");
    await expectLedger({ accepted: 1, delivered: 0, pending: 1, dead: 0 });
  });

  it("accepts two copies that come in the same turn once", async () => {
    const both = await Promise.all([store.messages.accept(message("A")), store.messages.accept(message("A"))]);
    expect(both.map(({ duplicate }) => duplicate)).toEqual([false, true]);
    await expectLedger({ accepted: 1, delivered: 0, pending: 1, dead: 0 });
  });

  it("keeps a message whose id another chat has used as a dead letter, and says why", async () => {
    await store.messages.accept(message("A"));
    const other = await store.messages.accept(message("A", "+15550002000"));
    expect(other).toMatchObject({ duplicate: false, refusal: expect.stringContaining("another chat") });
    expect(await store.messages.headOf(other.chat)).toBeUndefined();
    await expectLedger({ accepted: 2, delivered: 0, pending: 1, dead: 1 });
  });

  it("takes what two accounts got in one group for one message, and what only looks like it for a reused id", async () => {
    const group = "120363000000000001@g.us";
    const first = await store.messages.accept(message("A", group));
    const copy = await store.messages.accept({ ...message("A", group), account_id: "outlet" });
    expect(copy).toMatchObject({ duplicate: true, seq: first.seq, chat: first.chat });
    const other = await store.messages.accept({ ...message("A", group), account_id: "outlet", from: "+15550002000" });
    expect(other).toMatchObject({ duplicate: false, refusal: expect.stringContaining("another chat") });
    await expectLedger({ accepted: 2, delivered: 0, pending: 1, dead: 1 });
  });

  it("gives a chat's messages in order of arrival, each chat for itself, also after a restart", async () => {
    const a1 = await store.messages.accept(message("a1", "+15550001000"));
    const b1 = await store.messages.accept(message("b1", "+15550002000"));
    await store.messages.accept(message("a2", "+15550001000"));
    reopen();
    expect((await store.messages.laneHeads()).map(({ chat }) => chat)).toEqual([a1.chat, b1.chat]);
    expect((await store.messages.headOf(a1.chat))?.message_id).toBe("a1");
    await store.messages.delivered(a1.seq, 200, "{}", []);
    expect((await store.messages.headOf(a1.chat))?.message_id).toBe("a2");
    await expectLedger({ accepted: 3, delivered: 1, pending: 2, dead: 0 });
  });

  it("keeps lanes of two accounts apart", async () => {
    const one = await store.messages.accept(message("A", "+15550001000", "shop"));
    const two = await store.messages.accept(message("B", "+15550001000", "outlet"));
    expect(one.chat).not.toBe(two.chat);
  });

  it("takes a message that is itself at fault out of its chat's way", async () => {
    const first = await store.messages.accept(message("A"));
    await store.messages.accept(message("B"));
    const nextAttemptAt = Date.now() + 60_000;
    await store.messages.failed(first.seq, { error: "400", status: 400, nextAttemptAt, waitMs: 60_000, detach: true });
    expect((await store.messages.headOf(first.chat))?.message_id).toBe("B");
    const { chat } = first;
    expect(await store.messages.firstDetachedOf(chat)).toMatchObject({
      message_id: "A",
      attempts: 1,
      retrying_ms: 60_000,
    });
    expect(await store.messages.detachedDueOf(chat)).toBe(nextAttemptAt);
  });

  it("gives each chat's detached messages by when they are due, also after a restart", async () => {
    const detached = async (id: string, chat: string, nextAttemptAt: number) => {
      const accepted = await store.messages.accept(message(id, chat));
      await store.messages.failed(accepted.seq, { error: "", status: 400, nextAttemptAt, waitMs: 0, detach: true });
      return accepted.chat;
    };
    const one = await detached("a1", "+15550001000", 30);
    await detached("a2", "+15550001000", 20);
    const other = await detached("b1", "+15550002000", 40);
    reopen();
    expect(await store.messages.laneHeads()).toEqual([]);
    expect(await store.messages.detachedHeads()).toEqual([
      { chat: one, next_attempt_at: 20 },
      { chat: other, next_attempt_at: 40 },
    ]);
    expect((await store.messages.firstDetachedOf(one))?.message_id).toBe("a2");
    expect((await store.messages.firstDetachedOf(other))?.message_id).toBe("b1");
  });

  it("keeps the body byte for byte over restarts", async () => {
    const text = "\u0000 👩‍👩‍👧 مرحبا \ud800 \n";
    const { chat } = await store.messages.accept({ ...message("A"), text });
    const before = (await store.messages.headOf(chat))?.request;
    reopen();
    expect((await store.messages.headOf(chat))?.request).toBe(before);
    expect(JSON.parse(before ?? "").text).toBe("\ufffd 👩‍👩‍👧 مرحبا \ufffd \n");
  });

  it("has nothing in a body that no Postgres takes, in whatever field", async () => {
    const raw = { SenderName: "An\0na", "ReplyTo\0Body": [{ text: "\ud83d" }], kept: "\\u0000" };
    const [file] = [
      { type: "image", mime_type: null, file_name: "a\0\udc5c.jpg", size_bytes: null, sha256: null },
    ] as const;
    const media = [{ ...file, omitted: "no room for it" }];
    const { chat } = await store.messages.accept({ ...message("A"), text: "a\0b", raw, media });
    const body = JSON.parse((await store.messages.headOf(chat))?.request ?? "");
    expect(body.text).toBe("a\ufffdb");
    expect(body.media[0].file_name).toBe("a\ufffd\ufffd.jpg");
    expect(body.raw).toEqual({
      SenderName: "An\ufffdna",
      "ReplyTo\ufffdBody": [{ text: "\ufffd" }],
      kept: "\\u0000",
    });
  });

  it("counts a dead letter out of the pending ones", async () => {
    const { seq } = await store.messages.accept(message("A"));
    await store.messages.dead(seq, 400, "refused");
    await store.messages.dead(seq, 400, "refused");
    await expectLedger({ accepted: 1, delivered: 0, pending: 0, dead: 1 });
  });

  it("counts those that are detached, once each and for as long as they wait", async () => {
    const [one, two] = [await store.messages.accept(message("A")), await store.messages.accept(message("B"))];
    const attempt = { error: "no", status: 422, nextAttemptAt: 1, waitMs: 1, detach: true };
    const detached = async () => (await store.counters()).detached;
    expect(await store.messages.failed(one.seq, { ...attempt, detach: false })).toBe(false);
    expect(await detached()).toBe(0);
    expect([await store.messages.failed(one.seq, attempt), await store.messages.failed(one.seq, attempt)]).toEqual([
      true,
      false,
    ]);
    await store.messages.failed(two.seq, attempt);
    expect(await detached()).toBe(2);
    await store.messages.delivered(one.seq, 200, "{}", []);
    await store.messages.dead(two.seq, 422, "no");
    expect(await detached()).toBe(0);
  });
});

describe("what failed last", () => {
  it("is there with its message and reason, also after a restart, until the next one of its kind", async () => {
    const kinds = ["dead", "detached", "command_failed"] as const;
    const latest = async () => {
      const failures = await store.failures();
      return kinds.map((kind) => failures[kind]);
    };
    expect(await latest()).toEqual([null, null, null]);
    for (const id of ["A", "B"]) {
      const { seq } = await store.messages.accept(message(id));
      await store.messages.failed(seq, { error: `late ${id}`, status: 422, nextAttemptAt: 1, waitMs: 1, detach: true });
      await store.messages.dead(seq, 422, `given up ${id}`);
      const other = await store.messages.accept(message(`${id}2`));
      const refusal = { state: "failed" as const, reason: `no id ${id}` };
      await store.messages.delivered(other.seq, 200, "{}", [{ ...command(null, "x"), refusal }]);
      reopen();
      const common = { at: expect.any(Number), count: id === "A" ? 1 : 2 };
      expect(await latest()).toEqual([
        { ...common, message_id: id, reason: `given up ${id}` },
        { ...common, message_id: id, reason: `late ${id}` },
        { ...common, message_id: `${id}2`, reason: `no id ${id}` },
      ]);
    }
  });

  it("can be a message whose id another chat has used, and a command that the gateway refused", async () => {
    const { seq } = await store.messages.accept(message("A"));
    await store.messages.accept(message("A", "+15550002000"));
    expect((await store.failures()).dead).toMatchObject({
      message_id: "A",
      reason: expect.stringContaining("already used"),
    });
    await store.messages.delivered(seq, 200, "{}", [command("c1", "one")]);
    const id = (await store.commands.nextOf(1))?.id ?? 0;
    await store.commands.sending(id, "boot");
    await store.commands.settled(id, "failed", { reason: "unknown target", whatsappMessageId: null });
    expect((await store.failures()).command_failed).toMatchObject({ message_id: "A", reason: "unknown target" });
  });
});

describe("commands", () => {
  async function deliver(id: string, commands: CommandFromResponse[], chat?: string) {
    const { seq } = await store.messages.accept(message(id, chat));
    return store.messages.delivered(seq, 200, "{}", commands);
  }

  it("are written with their message's delivery, and wait in array order", async () => {
    const [one] = await deliver("A", [command("c1", "one"), command("c2", "two")]);
    const chat = one?.chat ?? 0;
    expect(await store.commands.waitingChats()).toEqual([chat]);
    const next = await store.commands.nextOf(chat);
    expect(next).toMatchObject({
      command_id: "c1",
      text: "one",
      message_id: "A",
      chat_id: "+15550001000",
      account_id: "default",
      times: { writtenAt: Date.parse("2026-03-01T12:00:00.000Z"), answeredAt: expect.any(Number) },
    });
    await store.commands.sending(next?.id ?? 0, "boot");
    const settlement = { reason: null, whatsappMessageId: "W1" };
    expect(await store.commands.settled(next?.id ?? 0, "sent", settlement)).toBe(true);
    expect((await store.commands.nextOf(chat))?.command_id).toBe("c2");
    expect(await store.counters()).toMatchObject({
      commands_sent: 1,
      commands_pending: 1,
      commands_sending: 0,
    });
  });

  it("with an id seen before are skipped, also within one response", async () => {
    await deliver("A", [command("c1", "one")]);
    const again = await deliver("B", [command("c1", "one"), command("c2", "two"), command("c2", "two")]);
    expect(again.map(({ outcome }) => outcome)).toEqual(["repeated", "pending", "repeated"]);
    expect((await store.counters()).commands_pending).toBe(2);
  });

  it("with an id seen before and other content are refused, and leave the first one alone", async () => {
    await deliver("A", [command("c1", "one")]);
    const [reused] = await deliver("B", [command("c1", "something else")]);
    const [elsewhere] = await deliver("C", [command("c1", "one")], "+15550002000");
    expect([reused?.outcome, elsewhere?.outcome]).toEqual(["failed", "failed"]);
    expect(reused?.reason).toContain("already used");
    expect(await store.counters()).toMatchObject({ commands_pending: 1, commands_failed: 2 });
  });

  it("that were being sent when the process ended are found again", async () => {
    await deliver("A", [command("c1", "one")]);
    const id = (await store.commands.nextOf(1))?.id ?? 0;
    await store.commands.sending(id, "boot-7");
    reopen();
    expect(await store.commands.interrupted()).toEqual([id]);
    expect(await store.commands.get(id)).toMatchObject({ command_id: "c1", gateway_process: "boot-7" });
    expect(await store.commands.nextOf(1)).toBeUndefined();
  });

  it("in doubt can still be settled by proof, except those that went out in part", async () => {
    await deliver("A", [command("c1", "one"), command("c2", "two")]);
    for (const partial of [false, true]) {
      const id = (await store.commands.nextOf(1))?.id ?? 0;
      await store.commands.sending(id, "boot");
      await store.commands.settled(id, "in_doubt", { reason: "?", whatsappMessageId: null, partial });
    }
    reopen();
    const doubts = (await store.commands.inDoubt(10)).map((id) => store.commands.doubt(id));
    expect((await Promise.all(doubts)).map((doubt) => doubt?.command_id)).toEqual([undefined, "c1"]);
    expect((await store.counters()).commands_in_doubt).toBe(2);
  });

  it("in doubt remember which gateway process was asked in vain, and since when the operator knows", async () => {
    await deliver("A", [command("c1", "one")]);
    const id = (await store.commands.nextOf(1))?.id ?? 0;
    await store.commands.sending(id, "boot-1");
    await store.commands.settled(id, "in_doubt", { reason: "?", whatsappMessageId: null });
    expect(await store.commands.doubt(id)).toMatchObject({ asked_process: null, alarmed_at: null });
    await store.commands.askedInVain(id, "boot-1");
    const alarmedAt = (await store.commands.doubt(id))?.alarmed_at;
    await store.commands.askedInVain(id, "boot-2");
    reopen();
    expect(await store.commands.doubt(id)).toMatchObject({ asked_process: "boot-2", alarmed_at: alarmedAt });
    await store.commands.proven(id, "sent", null);
    expect(await store.commands.doubt(id)).toBeUndefined();
  });

  it("go back to waiting only from sending", async () => {
    await deliver("A", [command("c1", "one")]);
    const id = (await store.commands.nextOf(1))?.id ?? 0;
    expect(await store.commands.sending(id, null)).not.toBeNull();
    expect(await store.commands.sending(id, null)).toBeNull();
    expect(await store.counters()).toMatchObject({ commands_pending: 0, commands_sending: 1 });
    await store.commands.notSent(id, { reason: "not connected" });
    expect((await store.commands.nextOf(1))?.id).toBe(id);
    await store.commands.settled(id, "sent", { reason: null, whatsappMessageId: null });
    expect(await store.counters()).toMatchObject({ commands_pending: 1, commands_sent: 0 });
  });

  describe("where the first one may be handed over with its record", () => {
    const HAND_OVER = {
      account_id: "default",
      chat_id: "+15550001000",
      gatewayProcess: "boot",
      linked: "+15559990000",
      behind: null,
    };
    const written = (id: string, to: string) => ({ ...message(id), raw: { To: to } });

    async function deliverAtOnce(of: InboundMessage, commands: CommandFromResponse[]) {
      const { seq } = await store.messages.accept(of);
      return store.messages.delivered(seq, 200, "{}", commands, undefined, HAND_OVER);
    }

    it("are `sending` in the same commit, with all that is handed over; those behind it wait", async () => {
      const all = [command("c1", "one"), command("c2", "two")];
      const [first, second] = await deliverAtOnce(written("A", "+15559990000"), all);
      expect([first?.outcome, second?.outcome, second?.handed]).toEqual(["sending", "pending", undefined]);
      const handed = first?.handed;
      expect(handed).toMatchObject({ command_id: "c1", text: "one", message_id: "A", writtenTo: "+15559990000" });
      expect(handed?.times).toEqual({
        writtenAt: Date.parse("2026-03-01T12:00:00.000Z"),
        answeredAt: expect.any(Number),
      });
      expect(await store.counters()).toMatchObject({ commands_sending: 1, commands_pending: 1 });
      reopen();
      expect(await store.commands.interrupted()).toEqual([first?.id]);
      const { pausedMs: _, writtenTo: __, times: ___, file: ____, ...row } = handed ?? { id: 0 };
      expect(await store.commands.get(first?.id ?? 0)).toEqual(row);
      expect(await store.commands.sendsSince("boot", 0)).toBe(1);
    });

    it.each(["half a pair: \ud83d", "a NUL: \0.", "👜 é"])(
      "say what is on disk of them, and nothing else: %j",
      async (text) => {
        const [first] = await deliverAtOnce(message("A"), [command(`c ${text}`, text)]);
        const { pausedMs: _, writtenTo: __, times: ___, file: ____, ...row } = first?.handed ?? { id: 0 };
        expect(await store.commands.get(first?.id ?? 0)).toEqual(row);
      },
    );

    it("wait like others where one waits in their chat", async () => {
      await deliver("A", [command("c1", "one")]);
      const [second] = await deliverAtOnce(message("B"), [command("c2", "two")]);
      expect([second?.outcome, second?.handed]).toEqual(["pending", undefined]);
    });

    it("wait where their chat is paused, be it by the same answer", async () => {
      const address = { accountId: "default", chatId: "+15550001000" };
      await store.pauses.pause(address, { forMs: 60_000, replies: "hold" });
      const [held] = await deliverAtOnce(message("A"), [command("c1", "one")]);
      await store.pauses.resume(address);
      const id = (await store.commands.nextOf(1))?.id ?? 0;
      await store.commands.sending(id, "boot");
      const order = { kind: "pause", forMs: 60_000, replies: "hold" } as const;
      const pause = { ...command("p1", ""), type: "pause_chat", text: null, order };
      const [, behind] = await deliverAtOnce(message("B"), [pause, command("c2", "two")]);
      expect([held?.outcome, behind?.outcome]).toEqual(["pending", "pending"]);
    });

    it("wait where their message was written to another number than the account has", async () => {
      const [other] = await deliverAtOnce(written("A", "+15559991111"), [command("c1", "one")]);
      expect(other?.outcome).toBe("pending");
    });

    it.each([
      ["are no text", { type: "react", text: "👍" }],
      ["say more than their text", { details: '{"reply_to":"A"}' }],
    ])("wait where they %s", async (_what, more) => {
      const [reply] = await deliverAtOnce(message("A"), [{ ...command("c1", "one"), ...more }]);
      expect(reply?.outcome).toBe("pending");
    });

    it("wait where the end of the reply before them is not written, and go where it is, in the same commit too", async () => {
      const [first, second, third] = [message("A"), message("B"), message("C")];
      const answer = async (of: InboundMessage, id: string, behind: number | null) => {
        const { seq } = await store.messages.accept(of);
        return () =>
          store.messages.delivered(seq, 200, "{}", [command(id, id)], undefined, {
            ...HAND_OVER,
            linked: null,
            behind,
          });
      };
      const [sent] = await (await answer(first, "c1", null))();
      const behind = sent?.handed?.id ?? 0;
      const [unwritten] = await (await answer(second, "c2", behind))();
      expect([sent?.outcome, unwritten?.outcome]).toEqual(["sending", "pending"]);
      expect(await store.commands.sending(unwritten?.id ?? 0, "boot", behind)).toBeNull();

      const asSent = { reason: null, whatsappMessageId: "WA" };
      const [, goes] = await Promise.all([
        store.commands.settledLater(behind, "sent", asSent),
        store.commands.sending(unwritten?.id ?? 0, "boot", behind),
      ]);
      expect(goes).toMatchObject({ gateway_process: "boot" });

      const next = await answer(third, "c3", unwritten?.id ?? 0);
      const [, [atOnce]] = await Promise.all([store.commands.settledLater(unwritten?.id ?? 0, "sent", asSent), next()]);
      expect(atOnce).toMatchObject({ outcome: "sending", handed: { command_id: "c3" } });
    });

    it("go where what they depend on can't be read: that holds nothing", async () => {
      const { seq } = await store.messages.accept(written("A", "+15559991111"));
      const other = new Database(join(dir, "bridge.sqlite"));
      other.prepare("UPDATE payloads SET request = '{\"raw' WHERE seq = ?").run(seq);
      other.close();
      const all = [command("c1", "one"), command("c2", "two")];
      const [reply] = await store.messages.delivered(seq, 200, "{}", all, undefined, HAND_OVER);
      expect(reply?.handed).toMatchObject({ writtenTo: null, times: { writtenAt: null } });
      expect(await store.commands.nextOf(1)).toMatchObject({ command_id: "c2", writtenTo: null });
    });

    it("are refused or seen before as any others", async () => {
      await deliver("A", [command("c1", "one")]);
      const refusal = { state: "failed", reason: "no" } as const;
      const all = [command("c1", "one"), { ...command("c2", "two"), refusal }];
      const recorded = await deliverAtOnce({ ...message("B"), chat_id: "+15550002000", from: "+15550002000" }, [
        command("c1", "one"),
        { ...command("c2", "two"), refusal },
        command("c3", "three"),
      ]);
      expect(recorded.map(({ outcome }) => outcome)).toEqual(["failed", "failed", "sending"]);
      expect((await deliverAtOnce(message("C"), all)).map(({ outcome }) => outcome)).toEqual(["repeated", "failed"]);
    });
  });

  it("of a message that is delivered twice are written once", async () => {
    const { seq } = await store.messages.accept(message("A"));
    await store.messages.delivered(seq, 200, "{}", [command("c1", "one")]);
    await store.messages.delivered(seq, 200, "{}", [command("c1", "one"), command("c2", "two")]);
    expect(await store.counters()).toMatchObject({ delivered: 1, commands_pending: 1 });
  });
});

describe("the file", () => {
  it("has one owner", () => {
    expect(() => openStore(dir, systemClock)).toThrow(StoreUnusableError);
    expect(() => openStore(dir, systemClock)).toThrow(/in use by another sidecar/);
  });

  it("is free again as soon as its owner was killed", async () => {
    store.close();
    const owner = fork(new URL("./owner.fixture.mjs", import.meta.url), [dir], {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    await once(owner, "message");
    expect(() => openStore(dir, systemClock)).toThrow(/in use/);
    owner.kill("SIGKILL");
    await once(owner, "exit");
    store = openStore(dir, systemClock);
  });

  it("runs with synchronous=FULL and WAL", () => {
    store.close();
    const file = join(dir, "bridge.sqlite");
    const raw = new Database(file, { readonly: true });
    expect(raw.pragma("journal_mode", { simple: true })).toBe("wal");
    raw.close();
    store = openStore(dir, systemClock);
  });

  it("keeps its log small, however much is written", async () => {
    const text = "x".repeat(10_000);
    for (let batch = 0; batch < 40; batch++) {
      const ids = Array.from({ length: 100 }, (_, n) => `M${batch}-${n}`);
      await Promise.all(ids.map((id) => store.messages.accept({ ...message(id), text })));
    }
    const sizeOf = (file: string) => statSync(join(dir, file)).size;
    expect(sizeOf("bridge.sqlite")).toBeGreaterThan(30_000_000);
    expect(sizeOf("bridge.sqlite-wal")).toBeLessThan(16 * 1024 * 1024);
  });

  it("is refused when a newer release wrote it, and left as it was", () => {
    store.close();
    const file = join(dir, "bridge.sqlite");
    const raw = new Database(file);
    const known = raw.pragma("user_version", { simple: true });
    raw.pragma("user_version = 99");
    raw.close();
    const before = readFileSync(file);
    expect(() => openStore(dir, systemClock)).toThrow(/newer release.*schema 99/s);
    expect(readFileSync(file).equals(before)).toBe(true);
    const repaired = new Database(file);
    repaired.pragma(`user_version = ${known}`);
    repaired.close();
    store = openStore(dir, systemClock);
  });

  it("is refused when it is no database, with what to do", () => {
    const broken = mkdtempSync(join(tmpdir(), "hotbags-store-"));
    writeFileSync(join(broken, "bridge.sqlite"), "this is not a database, however long it may be".repeat(100));
    expect(() => openStore(broken, systemClock)).toThrow(/damaged.*restore a backup/s);
    rmSync(broken, { recursive: true });
  });

  it("with a page that can't be read has every chat looked at in its place", async () => {
    const chats: number[] = [];
    for (const [n, chat] of ["+15550001000", "+15550002000", "+15550003000"].entries())
      chats.push((await store.messages.accept(message(`M${n}`, chat))).chat);
    const file = join(dir, "bridge.sqlite");
    for (const index of ["messages_lane", "commands_lane", "commands_pending"]) {
      store.close();
      damage(file, index);
      store = openStore(dir, systemClock);
    }
    expect(await store.messages.laneHeads()).toEqual(chats.map((chat) => ({ chat, next_attempt_at: 0 })));
    expect(await store.commands.waitingChats()).toEqual(chats);
  });

  it("is refused where it can't be made", () => {
    const file = join(dir, "a-file");
    writeFileSync(file, "");
    expect(() => openStore(join(file, "below"), systemClock)).toThrow(/BRIDGE_STATE_DIR/);
  });
});
