import fc from "fast-check";
import { expect } from "vitest";
import { deliveryReport } from "../../shared/src/index.ts";
import type { CommandFromResponse, Resolution, SettledState } from "../../sidecar/src/store/index.ts";
import type { Opened } from "../fleet/rooms.ts";

// Random histories of a store, with restarts. What must hold is read from the tables and compared with a model that knows
// nothing of SQL.

const ACCOUNTS = ["shop", "outlet"];
const CHATS = ["+15550001001", "+15550001002", "120363000000000001@g.us"];
const SENDER = "+15550001001";

interface ModelMessage {
  account: string;
  chat: string;
  id: string;
  text: string;
  state: "pending" | "delivered" | "dead" | "discarded";
  detached: boolean;
}

interface ModelCommand {
  id: string;
  chat: string;
  text: string;
  state: string;
}

export interface Model {
  messages: ModelMessage[];
  commands: ModelCommand[];
  refused: number;
  /** The numbers of chats, by account and chat. */
  chats: Map<string, number>;
}

export function newModel(): Model {
  return { messages: [], commands: [], refused: 0, chats: new Map() };
}

const keyOf = (account: string, chat: string) => `${account} ${chat}`;

export type Step = fc.AsyncCommand<Model, Opened>;

export const step = (name: string, run: (model: Model, opened: Opened) => Promise<void>): Step => ({
  check: () => true,
  run: async (model, opened) => {
    await run(model, opened);
    await verify(model, opened);
  },
  toString: () => name,
});

/** Several come in one turn. */
const accept = (ones: readonly { account: string; chat: string; id: string; text: string }[]) =>
  step(`accept(${JSON.stringify(ones)})`, async (model, { store }) => {
    const taken = await Promise.all(
      ones.map(({ account, chat, id, text }) =>
        store.messages.accept({
          ...{ account_id: account, message_id: id, chat_id: chat, from: SENDER, text, media: [] },
          ...{ timestamp: "2026-03-01T12:00:00.000Z", raw: {} },
        }),
      ),
    );
    for (const [n, { account, chat, id, text }] of ones.entries()) {
      const own = model.messages.find((one) => one.id === id && one.chat === chat && one.account === account);
      const users = model.messages.filter((one) => one.id === id);
      // Of what is discarded the id is all there is.
      const isSame = (one: ModelMessage) => one.chat === chat && (one.text === text || one.state === "discarded");
      const isKnown = own !== undefined || users.some(isSame);
      expect(taken[n]?.duplicate).toBe(isKnown);
      if (isKnown) continue;
      model.chats.set(keyOf(account, chat), taken[n]?.chat ?? 0);
      const state = users.length > 0 ? "dead" : "pending";
      model.messages.push({ account, chat, id, text, state, detached: false });
    }
  });

function head(model: Model, key: string, detached: boolean): ModelMessage | undefined {
  return model.messages.find(
    (one) => keyOf(one.account, one.chat) === key && one.state === "pending" && one.detached === detached,
  );
}

const deliver = (key: string, commands: readonly { id: string; text: string }[]) =>
  step(`deliver(${key}, ${JSON.stringify(commands)})`, async (model, { store }) => {
    const expected = head(model, key, false);
    const actual = await store.messages.headOf(model.chats.get(key) ?? -1);
    expect(actual?.message_id).toBe(expected?.id);
    if (!expected || !actual) return;
    const read = commands.map(
      ({ id, text }): CommandFromResponse => ({
        ...{ commandId: id, type: "send_text", text, payload: JSON.stringify(["send_text", text]), refusal: null },
      }),
    );
    const recorded = await store.messages.delivered(actual.seq, 200, "{}", read);
    expected.state = "delivered";
    for (const [n, { id, text }] of commands.entries()) {
      const owner = model.commands.find((command) => command.id === id);
      const same = owner?.chat === key && owner.text === text;
      expect(recorded[n]?.outcome).toBe(owner ? (same ? "repeated" : "failed") : "pending");
      if (!owner) model.commands.push({ id, chat: key, text, state: "pending" });
      else if (!same) model.refused += 1;
    }
  });

const fail = (key: string, how: "wait" | "detach" | "dead") =>
  step(`fail(${key}, ${how})`, async (model, { store }) => {
    const expected = head(model, key, false);
    const actual = await store.messages.headOf(model.chats.get(key) ?? -1);
    if (!expected || !actual) return;
    const behind = model.messages.slice(model.messages.indexOf(expected) + 1);
    const second = behind.find(
      (one) => keyOf(one.account, one.chat) === key && one.state === "pending" && !one.detached,
    );
    expect((await store.messages.behind(actual.chat, actual.seq))?.message_id).toBe(second?.id);
    const attempt = { error: "no", status: 500, nextAttemptAt: 1, waitMs: 1_000, detach: how === "detach" };
    if (how === "dead") await store.messages.dead(actual.seq, 400, "refused");
    else expect(await store.messages.failed(actual.seq, attempt)).toBe(how === "detach");
    if (how === "dead") expected.state = "dead";
    if (how === "detach") expected.detached = true;
  });

const settleDetached = (key: string, how: "delivered" | "dead") =>
  step(`settleDetached(${key}, ${how})`, async (model, { store }) => {
    const actual = await store.messages.firstDetachedOf(model.chats.get(key) ?? -1);
    const expected = model.messages.find(
      (one) => one.id === actual?.message_id && keyOf(one.account, one.chat) === key && one.detached,
    );
    expect(expected === undefined).toBe(head(model, key, true) === undefined);
    if (!actual || !expected) return;
    if (how === "dead") await store.messages.dead(actual.seq, 400, "refused");
    else await store.messages.delivered(actual.seq, 200, "{}", []);
    expected.state = how;
  });

const send = (key: string, outcome: SettledState | "not_sent" | "crash") =>
  step(`send(${key}, ${outcome})`, async (model, opened) => {
    const { commands } = opened.store;
    const expected = model.commands.find((command) => command.chat === key && command.state === "pending");
    const actual = await commands.nextOf(model.chats.get(key) ?? -1);
    expect(actual?.command_id).toBe(expected?.id);
    if (!expected || !actual) return;
    expect(await commands.sending(actual.id, "boot")).not.toBeNull();
    if (outcome === "crash") {
      await restarted(opened);
      expected.state = "in_doubt";
    } else if (outcome === "not_sent") await commands.notSent(actual.id, { reason: "not connected" });
    else {
      await commands.settled(actual.id, outcome, { reason: null, whatsappMessageId: null });
      expected.state = outcome;
    }
  });

const endHandover = (key: string, to: "sent" | "pending" | "in_doubt") =>
  step(`endHandover(${key}, ${to})`, async (model, { store }) => {
    const expected = model.commands.find((command) => command.chat === key && command.state === "queued_by_gateway");
    const open = [];
    for (const id of await store.handovers.open(1_000)) open.push(await store.commands.get(id));
    const queued = model.commands.filter(({ state }) => state === "queued_by_gateway");
    expect(open.map((command) => command.command_id).sort()).toEqual(queued.map(({ id }) => id).sort());
    const actual = open.find((command) => command.command_id === expected?.id);
    if (!expected || !actual) return;
    const end = to === "sent" ? { to, whatsappMessageId: null } : { to, reason: "given up", dropped: true };
    await store.handovers.ended(actual.id, end);
    expected.state = to;
  });

const repair = (key: string, how: "retry" | "discard") =>
  step(`repair(${key}, ${how})`, async (model, { store: { operator } }) => {
    const expected = model.messages.find((one) => keyOf(one.account, one.chat) === key && one.state === "dead");
    if (!expected) return;
    const withId = await operator.messagesWithId(expected.id);
    const actual = withId.find((one) => keyOf(one.account_id, one.chat_id) === key);
    const hasTwin = withId.length > 1;
    const done = how === "discard" || !hasTwin;
    expect(await operator[how](actual?.id ?? 0, "anna")).toMatchObject({ done });
    if (done) Object.assign(expected, { state: how === "discard" ? "discarded" : "pending", detached: false });
  });

const resolve = (key: string, as: Resolution) =>
  step(`resolve(${key}, ${as})`, async (model, { store: { operator } }) => {
    const expected = model.commands.find((command) => command.chat === key && command.state === "in_doubt");
    if (!expected) return;
    const actual = await operator.commandWithId(expected.id);
    expect(await operator.resolve(actual?.id ?? 0, as, "anna")).toMatchObject({ done: true });
    expected.state = { sent: "sent", resend: "pending", discard: "failed" }[as];
  });

/** What the outbox gives goes to chats that have written. */
const takeIn = (ones: readonly { account: string; chat: string; id: string; text: string }[]) =>
  step(`takeIn(${JSON.stringify(ones)})`, async (model, { store: { outbound } }) => {
    const after = await outbound.cursorOf("/outbox");
    const commands = ones.map(({ account, chat, id, text }) => ({
      ...{ accountId: account, chatId: chat },
      command: { commandId: id, type: "send_text", text, payload: JSON.stringify(["send_text", text]), refusal: null },
    }));
    const page = { path: "/outbox", after, cursor: String(Number(after) + ones.length), commands };
    const rules = {
      mode: "known",
      knownMs: Number.MAX_SAFE_INTEGER / 2,
      newChatsPerDay: 0,
      hasAccount: () => true,
    } as const;
    const recorded = await outbound.take(page, rules);
    for (const [n, { account, chat, id, text }] of ones.entries()) {
      const key = keyOf(account, chat);
      const owner = model.commands.find((command) => command.id === id);
      const same = owner?.chat === key && owner.text === text;
      const hasWritten = model.messages.some((one) => one.account === account && one.chat === chat);
      expect(recorded[n]?.outcome).toBe(same ? "repeated" : owner || !hasWritten ? "failed" : "pending");
      if (!owner) model.commands.push({ id, chat: key, text, state: hasWritten ? "pending" : "failed" });
      else if (!same) model.refused += 1;
      model.chats.set(key, recorded[n]?.chat ?? 0);
    }
  });

async function restarted(opened: Opened): Promise<void> {
  await opened.reopen();
  const { commands } = opened.store;
  for (const id of await commands.interrupted())
    await commands.settled(id, "in_doubt", { reason: "restart", whatsappMessageId: null });
}

/** The invariants, from the tables. */
async function verify(model: Model, { store, look }: Opened): Promise<void> {
  const messages = await look<{ account_id: string; chat_id: string; message_id: string; state: string }>(
    "SELECT c.account_id, c.chat_id, m.message_id, m.state FROM messages m JOIN chats c USING (chat) WHERE m.outbound IS NULL ORDER BY m.seq",
  );
  expect(messages).toEqual(
    model.messages.map(({ account, chat, id, state }) => ({
      account_id: account,
      chat_id: chat,
      message_id: id,
      state: state === "discarded" ? "dead" : state,
    })),
  );
  const commands = await look<{ command_id: string; text: string; state: string }>(
    "SELECT command_id, text, state FROM commands WHERE last_error IS NULL OR last_error NOT LIKE '%already used%' ORDER BY id",
  );
  expect(commands).toEqual(model.commands.map(({ id, text, state }) => ({ command_id: id, text, state })));
  // What Hot Bags is told last of a command is what it is; of one that nothing was told of, nothing is known yet.
  const told = new Map<string, string>();
  for (const { body } of await look<{ body: string }>("SELECT body FROM reports ORDER BY id")) {
    const { command_id, state, outcome } = deliveryReport.parse(JSON.parse(body));
    told.set(command_id, outcome ?? state);
  }
  for (const { id, state } of model.commands)
    expect(told.get(id) ?? "pending").toBe(state === "queued_by_gateway" ? "pending" : state);
  const counts = await store.counters();
  const inState = (state: string) => model.messages.filter((message) => message.state === state).length;
  expect(counts).toMatchObject({
    ...{ accepted: model.messages.length, delivered: inState("delivered") },
    ...{ pending: inState("pending"), dead: inState("dead"), discarded: inState("discarded") },
    detached: model.messages.filter(({ state, detached }) => state === "pending" && detached).length,
  });
  for (const state of ["pending", "sending", "sent", "queued_by_gateway", "in_doubt"] as const)
    expect(counts[`commands_${state}`]).toBe(model.commands.filter((command) => command.state === state).length);
  const failed = model.commands.filter(({ state }) => state === "failed").length;
  expect(counts.commands_failed).toBe(failed + model.refused);
}

const account = fc.constantFrom(...ACCOUNTS);
const chat = fc.constantFrom(...CHATS);
const key = fc.tuple(account, chat).map((pair) => keyOf(...pair));
const text = fc.constantFrom("yes", "no", '👜 \\ " {}');
const incoming = fc.record({ account, chat, id: fc.constantFrom("A", "B", "C", "D", "E", "F"), text });
const reply = fc.record({ id: fc.constantFrom("c1", "c2", "c3", "c4", "c5", "c6"), text });
const written = fc.record({ account, chat, id: reply.map(({ id }) => id), text });
export const STEPS: fc.Arbitrary<Step>[] = [
  fc.array(incoming, { minLength: 1, maxLength: 4 }).map(accept),
  fc.tuple(key, fc.array(reply, { maxLength: 3 })).map((args) => deliver(...args)),
  fc.tuple(key, fc.constantFrom("wait" as const, "detach" as const, "dead" as const)).map((args) => fail(...args)),
  fc.tuple(key, fc.constantFrom("delivered" as const, "dead" as const)).map((args) => settleDetached(...args)),
  fc
    .tuple(
      key,
      fc.constantFrom(...(["sent", "queued_by_gateway", "in_doubt", "failed", "not_sent", "crash"] as const).values()),
    )
    .map((args) => send(...args)),
  fc
    .tuple(key, fc.constantFrom("sent" as const, "pending" as const, "in_doubt" as const))
    .map((args) => endHandover(...args)),
  fc.tuple(key, fc.constantFrom("retry" as const, "discard" as const)).map((args) => repair(...args)),
  fc
    .tuple(key, fc.constantFrom("sent" as const, "resend" as const, "discard" as const))
    .map((args) => resolve(...args)),
  fc.array(written, { maxLength: 4 }).map(takeIn),
  fc.constant(step("restart", (_, opened) => restarted(opened))),
];
