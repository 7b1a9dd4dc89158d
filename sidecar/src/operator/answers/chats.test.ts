import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, BEN, messageOf } from "../../../../test/sidecar/message.ts";
import { SimulatedClock } from "../../../../test/simulated-clock.ts";
import { openStore, type Store } from "../../store/index.ts";
import { OperatorApi } from "../api.ts";
import { answer, give, readAsked, refuse, targetOf } from "../http.ts";
import type { Running } from "../running.ts";
import type { Input, Output, RouteName } from "../schemas.ts";

// What the operator API says of chats, and of what was said in them, over a store alone.

let dir: string;
let clock: SimulatedClock;
let store: Store;
let api: OperatorApi;
/** Chats whose lanes are to look again. */
let told: number[];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-chats-"));
  clock = new SimulatedClock();
  store = openStore(dir, clock);
  told = [];
  api = new OperatorApi({
    reads: store.operator,
    running: {
      store: store.operator,
      onRetry: (chat) => void told.push(chat),
      onResolved: () => {},
      whyMessageWaits: async () => null,
    } as Partial<Running> as Running,
    pausedChats: async () => [],
    alerts: async () => ({ open: [], past: [] }),
    ...{ status: notAsked, path: notAsked, figures: notAsked },
  });
});
afterEach(() => {
  store.close();
  rmSync(dir, { recursive: true });
});

function notAsked(): never {
  throw new Error("nobody asks for it here");
}

const ask = <Name extends RouteName>(name: Name, input: Partial<Record<keyof Input<Name>, unknown>>, id = 0) =>
  api.answer(name, input, id, "anna");

async function take(id: string, chat = ANNA, changes = {}): Promise<number> {
  clock.advance(1_000);
  return (await store.messages.accept(messageOf(id, chat, changes))).seq;
}

const answered = (seq: number, text: string) =>
  store.messages.delivered(seq, 200, "{}", [
    { commandId: `to ${seq}`, type: "send_text", text, payload: "1", refusal: null, details: null },
  ]);

async function deadLetter(id: string, chat = ANNA): Promise<number> {
  const seq = await take(id, chat);
  await store.messages.dead(seq, 422, "refused", 10);
  return seq;
}

const lastDone = async () =>
  (await store.operator.audit(null, 1)).map(({ who, action, kind, subject }) => [who, action, kind, subject])[0];

describe("chats", () => {
  it("are listed by their last message, with what is wrong in each, and no whole number", async () => {
    await deadLetter("A1", ANNA);
    await take("B1", BEN);
    await take("A2", ANNA);
    const { chats } = await ask("chats", {});
    expect(chats).toEqual([
      expect.objectContaining({
        chat: 1,
        name: "+1555…01",
        messages: 2,
        waiting: 1,
        dead: 1,
        in_doubt: 0,
        paused: false,
      }),
      expect.objectContaining({ chat: 2, name: "+1555…02", messages: 1, waiting: 1, dead: 0 }),
    ]);
    expect(Date.parse(chats[0]?.last_at ?? "")).toBeGreaterThan(Date.parse(chats[1]?.last_at ?? ""));
    expect((await ask("chats", { number: BEN })).chats).toMatchObject([{ chat: 2 }]);
    expect((await ask("chats", { number: BEN, account_id: "second" })).chats).toEqual([]);
  });

  it("come page by page, each once, however many messages stand between them", async () => {
    const numbers = Array.from({ length: 30 }, (_, n) => `+155500020${String(n).padStart(2, "0")}`);
    const all = Array.from({ length: 3_000 }, (_, n) => messageOf(`M${n}`, n < 30 ? numbers[n] : numbers[n % 3]));
    await Promise.all(all.map((message) => store.messages.accept(message)));
    const found: number[] = [];
    let before: number | null = null;
    do {
      const page: Output<"chats"> = await ask("chats", {
        limit: "10",
        ...(before === null ? {} : { before: String(before) }),
      });
      found.push(...page.chats.map(({ chat }) => chat));
      before = page.next;
    } while (before !== null);
    expect(found).toHaveLength(30);
    expect(new Set(found).size).toBe(30);
  });
});

describe("a conversation", () => {
  it("is told as the customer saw it, its words only to somebody whose name is written down", async () => {
    const first = await take("hello");
    clock.advance(1_000);
    await answered(first, "good morning");
    const media = [
      { type: "image", mime_type: "image/png", file_name: "me.png", size_bytes: null, sha256: null, omitted: "lost" },
    ];
    const second = await take("a picture", ANNA, { media });
    await deadLetter("not Anna's", BEN);
    const shown = await ask("conversation", {}, 1);
    expect(shown).toMatchObject({ chat: 1, account_id: "default", name: "+1555…01", next: null });
    expect(shown.entries).toEqual([
      expect.objectContaining({
        kind: "in",
        message: second,
        command: null,
        state: "pending",
        type: "image",
        text: null,
      }),
      expect.objectContaining({
        kind: "out",
        message: first,
        command: 1,
        state: "pending",
        type: "send_text",
        text: null,
      }),
      expect.objectContaining({ kind: "in", message: first, state: "delivered", type: "text", text: null, files: [] }),
    ]);
    expect(JSON.stringify(shown)).not.toMatch(/hello|morning|me\.png|\+15550001001/);
    expect(await lastDone()).toBeUndefined();
    const whole = await ask("conversation", { content: "true" }, 1);
    expect(whole.entries.map(({ text }) => text)).toEqual(["a picture", "good morning", "hello"]);
    expect(whole.entries[0]?.files).toEqual([{ n: 0, type: "image/png", bytes: null, name: "me.png" }]);
    expect(await lastDone()).toEqual(["anna", "read the conversation", "chat", 1]);
  });

  it("comes page by page", async () => {
    for (let n = 0; n < 5; n += 1) await take(`M${n}`);
    const first = await ask("conversation", { limit: "3" }, 1);
    const rest = await ask("conversation", { limit: "3", before: String(first.next) }, 1);
    expect([...first.entries, ...rest.entries].map(({ message }) => message)).toEqual([5, 4, 3, 2, 1]);
    expect(rest.next).toBeNull();
  });

  it("is one of a chat that there is, whose number is told to somebody whose name is written down", async () => {
    await take("A");
    expect(await ask("chatNumber", {}, 1)).toEqual({ number: ANNA });
    expect(await lastDone()).toEqual(["anna", "read the number", "chat", 1]);
    await expect(ask("chatNumber", {}, 2)).rejects.toMatchObject({ status: 404 });
    await expect(ask("conversation", { content: "true" }, 2)).rejects.toMatchObject({ status: 404 });
  });

  it("of a customer who was forgotten says nothing of them any more", async () => {
    await answered(await take("A"), "good morning");
    await api.answer("forget", { number: ANNA, including_waiting: true }, 0, "anna");
    await expect(ask("chatNumber", {}, 1)).rejects.toMatchObject({ status: 404 });
    const { name, entries } = await ask("conversation", { content: "true" }, 1);
    expect(name).toBeNull();
    expect(entries.map(({ text, type }) => text ?? type)).not.toContain("good morning");
  });
});

it("a list of messages and commands is that of one account, and names each chat by its number", async () => {
  await answered(await take("A"), "hello");
  await answered(await take("B", BEN, { account_id: "second" }), "hello");
  expect((await ask("messages", { account_id: "second" })).messages).toMatchObject([{ message_id: "B", chat: 2 }]);
  expect((await ask("commands", { account_id: "default" })).commands).toMatchObject([{ message_id: "A", chat: 1 }]);
});

it("all dead letters since a time are sent again, a hundred at a time, in their order, each in the audit", async () => {
  const old = await deadLetter("old");
  clock.advance(3_600_000);
  const since = new Date(clock.now()).toISOString();
  const dead: number[] = [];
  for (let n = 0; n < 101; n += 1) dead.push(await deadLetter(`D${n}`));
  // Its key is another's as well: neither can be told from the other.
  const { seq: twin } = await store.messages.accept(messageOf("D0", BEN));
  const byHand = (id: number | undefined) => ({ id, reason: expect.stringContaining("by hand") });
  const first = await ask("retryDead", { since });
  expect(first).toEqual({ retried: 99, refused: [byHand(dead[0])], next: dead[99] });
  const rest = await ask("retryDead", { since, after: first.next });
  expect(rest).toEqual({ retried: 1, refused: [byHand(twin)], next: null });
  expect(await store.operator.message(old)).toMatchObject({ state: "dead" });
  const audit = (await store.operator.audit(null, 200)).filter(
    ({ action, who }) => action === "retry" && who === "anna",
  );
  expect(audit.filter(({ result }) => result === "done").map(({ subject }) => subject)).toEqual(
    dead.slice(1).reverse(),
  );
  expect(audit).toHaveLength(102);
  expect(told).toEqual([1, 1]);
});

describe("a picture", () => {
  const PNG = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.alloc(200_000, 7)]);

  /** A message with this file, as the plugin has brought it. */
  async function withFile(bytes: Buffer): Promise<number> {
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const body = (async function* () {
      yield bytes;
    })();
    await store.files.receive(sha256, { offset: 0, length: bytes.length, body });
    const item = {
      type: "image",
      mime_type: "image/png",
      file_name: "x.png",
      size_bytes: bytes.length,
      sha256,
    } as const;
    return take("with a file", ANNA, { media: [item] });
  }

  /** Asks over HTTP, as both listeners do. */
  async function get(path: string) {
    const log = pino({ level: "silent" });
    const server = createServer(async (request, response) => {
      try {
        await give(response, await answer(api, await readAsked(request, targetOf(request)), "anna", log));
      } catch (error) {
        refuse(request, response, error, log);
      }
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const response = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1${path}`);
    const bytes = Buffer.from(await response.arrayBuffer());
    server.close();
    return { status: response.status, headers: response.headers, bytes };
  }

  it("comes whole to somebody whose name is written down, and can do nothing in a browser", async () => {
    const seq = await withFile(PNG);
    const { status, headers, bytes } = await get(`/messages/${seq}/files/0`);
    expect([status, headers.get("content-type"), bytes.equals(PNG)]).toEqual([200, "image/png", true]);
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(await lastDone()).toEqual(["anna", "see a file", "message", seq]);
  });

  it("is what its bytes are, whatever is said of them", async () => {
    const svg = await withFile(Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>"));
    expect((await get(`/messages/${svg}/files/0`)).status).toBe(415);
  });

  it("that is not there is 404", async () => {
    const seq = await withFile(PNG);
    rmSync(join(dir, "media"), { recursive: true });
    for (const path of [`/messages/${seq}/files/0`, `/messages/${seq}/files/1`, "/messages/99/files/0"])
      expect([path, (await get(path)).status]).toEqual([path, 404]);
  });

  it.each([
    ["image/jpeg", "ffd8ffe000104a464946"],
    ["image/gif", "474946383961"],
    ["image/webp", "524946460a00000057454250"],
  ])("is %s by how it begins", async (type, hex) => {
    const seq = await withFile(Buffer.from(hex, "hex"));
    expect((await get(`/messages/${seq}/files/0`)).headers.get("content-type")).toBe(type);
  });
});
