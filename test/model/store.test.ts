import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, it } from "vitest";
import { deliveryReport } from "../../shared/src/index.ts";
import type { Clock } from "../../sidecar/src/clock.ts";
import { type CommandFromResponse, openStore, type SettledState, type Store } from "../../sidecar/src/store/index.ts";

// Random histories against the real store, with restarts and a clock that jumps. What must hold is read from the tables by a second connection
// and compared with a model that knows nothing of SQL.

const DAY_MS = 24 * 3_600_000;
const START_MS = Date.parse("2026-03-01T12:00:00Z");
/** No time passes in a history, so nothing is ever forgotten; a jump over a restart counts as a day at the most. */
const KEEP = { textsDays: 365, keysDays: 365, deadLettersDays: 365 };
/** From before 1970 to after 2036. */
const MAX_ASTRAY_DAYS = 60 * 365;
/** Who writes, in the group too. */
const SENDER = "+15550001001";
const CHATS = [SENDER, "+15550001002", "120363000000000001@g.us"];

interface ModelMessage {
  chat: string;
  id: string;
  request: string;
  state: "pending" | "delivered" | "dead" | "discarded";
  detached: boolean;
  /** What came back for it and owns its id. */
  commands: ModelCommand[];
  isForgotten: boolean;
}

interface ModelCommand {
  id: string;
  chat: string;
  text: string;
  state: string;
  /** Times it was handed to the gateway without proof that this did not send it. */
  unprovenSends: number;
}

type MessageRow = { chat: string; id: string; state: string; detached: number; request: string };
type CommandRow = { id: string; chat: string; text: string; state: string };

/** What ought to be, by the rules in plain words. */
interface Model {
  messages: ModelMessage[];
  /** In order of arrival. */
  commands: ModelCommand[];
  refused: number;
}

class World implements Clock {
  readonly dir = mkdtempSync(join(tmpdir(), "hotbags-model-"));
  wallMs = START_MS;
  store: Store = this.open();
  readonly tables: Database.Database = new Database(join(this.dir, "bridge.sqlite"), { readonly: true });
  readonly look = {
    messages: this.tables.prepare<[], MessageRow>(
      "SELECT c.chat_id AS chat, m.message_id AS id, m.state, m.detached, p.request FROM messages m JOIN chats c USING (chat) JOIN payloads p USING (seq) ORDER BY m.seq",
    ),
    commands: this.tables.prepare<[], CommandRow>(
      "SELECT k.command_id AS id, c.chat_id AS chat, k.text, k.state FROM commands k JOIN chats c USING (chat) WHERE k.owns_id = 1 AND k.text IS NOT NULL ORDER BY k.id",
    ),
    reports: this.tables.prepare<[], string>("SELECT body FROM reports ORDER BY id").pluck(),
    request: this.tables.prepare<[number], string>("SELECT request FROM payloads WHERE seq = ?").pluck(),
    chatKey: this.tables.prepare<[string], number>("SELECT chat FROM chats WHERE chat_id = ?").pluck(),
  };

  open(): Store {
    const store = openStore(this.dir, this);
    void store.reports.turn(true);
    return store;
  }
  now() {
    return this.wallMs;
  }
  uptimeMs() {
    return 0;
  }
  bootMs() {
    return 0;
  }
  async restart() {
    this.store.close();
    this.store = this.open();
    for (const id of await this.store.commands.interrupted())
      await this.store.commands.settled(id, "in_doubt", { reason: "restart", whatsappMessageId: null });
  }
  chatKey(chat: string): number | undefined {
    return this.look.chatKey.get(chat);
  }
  close() {
    this.tables.close();
    this.store.close();
    rmSync(this.dir, { recursive: true });
  }
}

type Step = fc.AsyncCommand<Model, World>;

const step = (name: string, run: (model: Model, world: World) => Promise<void>): Step => ({
  check: () => true,
  run: async (model, world) => {
    await run(model, world);
    await verify(model, world);
  },
  toString: () => name,
});

const accept = (chat: string, id: string, text: string) =>
  step(`accept(${chat}, ${id}, ${text})`, async (model, world) => {
    const accepted = await world.store.messages.accept({
      account_id: "default",
      message_id: id,
      chat_id: chat,
      from: SENDER,
      text,
      media: [],
      timestamp: "2026-03-01T12:00:00.000Z",
      raw: {},
    });
    const known = model.messages.some((message) => message.chat === chat && message.id === id);
    expect(accepted.duplicate).toBe(known);
    if (known) return;
    const taken = model.messages.some((message) => message.id === id);
    const request = world.look.request.get(accepted.seq) ?? "";
    expect(JSON.parse(request)).toMatchObject({ message_id: id, chat_id: chat, text: text.replace("\0", "\ufffd") });
    const state = taken ? "dead" : "pending";
    const asRead = await world.store.messages.behind(accepted.chat, accepted.seq - 1);
    expect(accepted.pending).toEqual(taken ? undefined : asRead);
    model.messages.push({ chat, id, request, state, detached: false, commands: [], isForgotten: false });
  });

function isForgotten(model: Model, command: ModelCommand): boolean {
  return model.messages.some((message) => message.isForgotten && message.commands.includes(command));
}

function head(model: Model, chat: string, detached: boolean): ModelMessage | undefined {
  return model.messages.find(
    (message) => message.chat === chat && message.state === "pending" && message.detached === detached,
  );
}

/** What becomes of a command that was handed to the gateway. */
type SendEnd = SettledState | "not_sent" | "crash";

async function endSend(world: World, id: number, command: ModelCommand, end: SendEnd): Promise<void> {
  command.unprovenSends += 1;
  if (end === "crash") {
    await world.restart();
    command.state = "in_doubt";
  } else if (end === "not_sent") {
    await world.store.commands.notSent(id, { reason: "not connected" });
    command.unprovenSends -= 1;
    command.state = "pending";
  } else {
    await world.store.commands.settled(id, end, { reason: null, whatsappMessageId: null });
    command.state = end;
  }
}

/** `atOnce`: the first command may be handed over with its record, and that ends so; null: none may. */
const deliver = (chat: string, commands: { id: string; text: string }[], atOnce: SendEnd | null) =>
  step(`deliver(${chat}, ${JSON.stringify(commands)}, ${atOnce})`, async (model, world) => {
    const expected = head(model, chat, false);
    const actual = await world.store.messages.headOf(world.chatKey(chat) ?? -1);
    expect(actual?.message_id).toBe(expected?.id);
    if (!expected || !actual) return;
    expect(actual.request).toBe(expected.request);
    const read = commands.map(
      ({ id, text }): CommandFromResponse => ({
        commandId: id,
        type: "send_text",
        text,
        payload: JSON.stringify(["send_text", text]),
        refusal: null,
      }),
    );
    const handOver = { account_id: "default", chat_id: chat, gatewayProcess: "boot", linked: null, behind: null };
    const given = atOnce === null ? undefined : handOver;
    let goes =
      atOnce !== null && !model.commands.some((waiting) => waiting.chat === chat && waiting.state === "pending");
    const recorded = await world.store.messages.delivered(actual.seq, 200, "{}", read, undefined, given);
    expected.state = "delivered";
    const handed = recorded.find((command) => command.handed)?.handed;
    for (const [n, { id, text }] of commands.entries()) {
      const owner = model.commands.find((command) => command.id === id);
      const same = owner?.chat === chat && owner.text === text && !isForgotten(model, owner);
      expect(recorded[n]?.outcome).toBe(owner ? (same ? "repeated" : "failed") : goes ? "sending" : "pending");
      if (!owner) {
        const command = { id, chat, text, state: goes ? "sending" : "pending", unprovenSends: 0 };
        model.commands.push(command);
        expected.commands.push(command);
        if (goes) expect(handed).toMatchObject({ command_id: id, text, message_id: expected.id, chat_id: chat });
        goes = false;
      } else if (!same) model.refused += 1;
    }
    const first = model.commands.find(({ state }) => state === "sending");
    expect(first?.id).toBe(handed?.command_id);
    if (handed && first && atOnce) await endSend(world, handed.id, first, atOnce);
  });

const fail = (chat: string, how: "wait" | "detach" | "dead") =>
  step(`fail(${chat}, ${how})`, async (model, world) => {
    const expected = head(model, chat, false);
    const actual = await world.store.messages.headOf(world.chatKey(chat) ?? -1);
    if (!expected || !actual) return;
    const behind = model.messages.slice(model.messages.indexOf(expected) + 1);
    const second = behind.find((message) => message.chat === chat && message.state === "pending" && !message.detached);
    expect((await world.store.messages.behind(actual.chat, actual.seq))?.message_id).toBe(second?.id);
    if (how === "dead") await world.store.messages.dead(actual.seq, 400, "refused");
    else {
      const nextAttemptAt = world.now() + 1_000;
      await world.store.messages.failed(actual.seq, {
        error: "no",
        status: 500,
        nextAttemptAt,
        waitMs: 1_000,
        detach: how === "detach",
      });
    }
    if (how === "dead") expected.state = "dead";
    if (how === "detach") expected.detached = true;
  });

const settleDetached = (chat: string, how: "deliver" | "dead") =>
  step(`settleDetached(${chat}, ${how})`, async (model, world) => {
    const actual = await world.store.messages.firstDetachedOf(world.chatKey(chat) ?? -1);
    const expected = model.messages.find((message) => message.id === actual?.message_id && message.chat === chat);
    expect(expected === undefined).toBe(head(model, chat, true) === undefined);
    if (!actual || !expected) return;
    expect(expected).toMatchObject({ state: "pending", detached: true });
    if (how === "dead") await world.store.messages.dead(actual.seq, 400, "refused");
    else await world.store.messages.delivered(actual.seq, 200, "{}", []);
    expected.state = how === "dead" ? "dead" : "delivered";
  });

const send = (chat: string, outcome: SendEnd) =>
  step(`send(${chat}, ${outcome})`, async (model, world) => {
    const expected = model.commands.find((command) => command.chat === chat && command.state === "pending");
    const actual = await world.store.commands.nextOf(world.chatKey(chat) ?? -1);
    expect(actual?.command_id).toBe(expected?.id);
    if (!expected || !actual) return;
    expect(actual.text).toBe(expected.text);
    await world.store.commands.sending(actual.id, "boot");
    await endSend(world, actual.id, expected, outcome);
  });

/** OpenClaw has sent or dropped what it had in its queue. */
const endHandover = (chat: string, to: "sent" | "pending" | "in_doubt") =>
  step(`endHandover(${chat}, ${to})`, async (model, world) => {
    const expected = model.commands.find((command) => command.chat === chat && command.state === "queued_by_gateway");
    const ids = await world.store.handovers.open(1_000);
    const open = await Promise.all(ids.map((id) => world.store.commands.get(id)));
    const queued = model.commands.filter(({ state }) => state === "queued_by_gateway");
    expect(open.map((command) => command?.command_id).sort()).toEqual(queued.map(({ id }) => id).sort());
    const actual = open.find((command) => command?.command_id === expected?.id);
    if (!expected || !actual) return;
    const end = to === "sent" ? { to, whatsappMessageId: null } : { to, reason: "given up", dropped: true };
    await world.store.handovers.ended(actual.id, end);
    await world.store.handovers.ended(actual.id, end);
    expected.state = to;
    if (to === "pending") expected.unprovenSends -= 1;
  });

/** A customer is forgotten. What is with the gateway keeps its message; where `all` is said nothing else does. */
const forget = (number: string, all: boolean) =>
  step(`forget(${number}, ${all})`, async (model, world) => {
    const isOf = ({ chat }: ModelMessage) => chat === number || (chat.endsWith("@g.us") && number === SENDER);
    const found = model.messages.filter((message) => isOf(message) && !message.isForgotten);
    const gone = found.filter(({ state, commands }) => {
      const are = (...states: string[]) => commands.some((command) => states.includes(command.state));
      if (are("sending", "queued_by_gateway")) return false;
      return all || !(state === "pending" || are("pending", "in_doubt"));
    });
    const request = { number, after: 0, left: 0, forgotten: 0, includingWaiting: all };
    expect(await world.store.operator.forget(request, "eve")).toMatchObject({
      found: { messages: found.length },
      ...{ forgotten: gone.length, left: found.length - gone.length, isNumberGone: gone.length === found.length },
    });
    for (const message of gone) {
      message.isForgotten = true;
      if (message.state !== "delivered") message.state = "discarded";
      for (const command of message.commands)
        if (command.state === "pending" || command.state === "in_doubt") command.state = "failed";
    }
  });

const restart = () => step("restart", (_model, world) => world.restart());

const setClock = (days: number) =>
  step(`setClock(${days} d)`, async (_model, world) => {
    world.wallMs = START_MS + days * DAY_MS;
  });

const sweep = () =>
  step("sweep", async (_model, world) => {
    expect(await world.store.retention.sweep(KEEP)).toEqual({ texts: 0, keys: 0, files: 0, deadLetters: 0 });
  });

/** The invariants, from the tables. */
async function verify(model: Model, world: World): Promise<void> {
  const kept = model.messages.filter((message) => !message.isForgotten);
  expect(world.look.messages.all()).toEqual(
    kept.map(({ chat, id, state, request, detached }) => ({ chat, id, state, request, detached: detached ? 1 : 0 })),
  );
  const keptCommands = model.commands.filter((command) => !isForgotten(model, command));
  expect(world.look.commands.all()).toEqual(
    keptCommands.map(({ id, chat, text, state }) => ({ id, chat, text, state })),
  );
  // What Hot Bags is told last of a command is what it is; of one that nothing was told of, nothing is known yet.
  const told = new Map<string, string>();
  for (const body of world.look.reports.all()) {
    const { command_id, state, outcome } = deliveryReport.parse(JSON.parse(body));
    told.set(command_id, outcome ?? state);
  }
  expect(told.size).toBeLessThanOrEqual(keptCommands.length);
  for (const { id, state } of keptCommands)
    expect(told.get(id) ?? "pending").toBe(state === "queued_by_gateway" ? "pending" : state);
  for (const command of model.commands) expect(command.unprovenSends).toBeLessThanOrEqual(1);

  const counts = await world.store.counters();
  const inState = (state: string) => model.messages.filter((message) => message.state === state).length;
  expect(counts).toMatchObject({
    accepted: model.messages.length,
    delivered: inState("delivered"),
    pending: inState("pending"),
    dead: inState("dead"),
    discarded: inState("discarded"),
    detached: model.messages.filter(({ state, detached }) => state === "pending" && detached).length,
  });
  expect(counts.accepted).toBe(counts.delivered + counts.pending + counts.dead + counts.discarded);
  for (const state of ["pending", "sending", "sent", "queued_by_gateway", "in_doubt"] as const) {
    expect(counts[`commands_${state}`]).toBe(model.commands.filter((command) => command.state === state).length);
  }
  const failed = model.commands.filter(({ state }) => state === "failed").length;
  expect(counts.commands_failed).toBe(failed + model.refused);
}

it("keeps its promises over random histories", async () => {
  const chat = fc.constantFrom(...CHATS);
  const text = fc.constantFrom("yes", "no", "\u0000👜");
  const command = fc.record({ id: fc.constantFrom("c1", "c2", "c3", "c4", "c5", "c6"), text });
  const ends: SendEnd[] = ["sent", "queued_by_gateway", "in_doubt", "failed", "not_sent", "crash"];
  const sendEnd = fc.constantFrom(...ends);
  const steps = [
    fc.tuple(chat, fc.constantFrom("A", "B", "C", "D", "E", "F"), text).map((args) => accept(...args)),
    fc.tuple(chat, fc.array(command, { maxLength: 3 }), fc.option(sendEnd)).map((args) => deliver(...args)),
    fc
      .tuple(chat, fc.constantFrom("wait", "detach", "dead" as const))
      .map((args) => fail(...(args as [string, "wait"]))),
    fc
      .tuple(chat, fc.constantFrom("deliver", "dead" as const))
      .map((args) => settleDetached(...(args as [string, "dead"]))),
    fc.tuple(chat, sendEnd).map((args) => send(...args)),
    fc
      .tuple(chat, fc.constantFrom("sent", "pending", "in_doubt" as const))
      .map(([where, to]) => endHandover(where, to as "sent")),
    fc.tuple(fc.constantFrom(...CHATS.slice(0, 2)), fc.boolean()).map((args) => forget(...args)),
    fc.constant(restart()),
    fc.integer({ min: -MAX_ASTRAY_DAYS, max: MAX_ASTRAY_DAYS }).map(setClock),
    fc.constant(sweep()),
  ];
  const property = fc.asyncProperty(fc.commands(steps, { size: "+1" }), async (history) => {
    const world = new World();
    try {
      await fc.asyncModelRun(() => ({ model: { messages: [], commands: [], refused: 0 }, real: world }), history);
    } finally {
      world.close();
    }
  });
  // Shrinking a history takes minutes, and a test that times out says nothing; the seed and path that are printed repeat it.
  await fc.assert(property, { numRuns: 100, endOnFailure: true });
}, 120_000);
