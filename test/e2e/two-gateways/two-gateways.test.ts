import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { running } from "../../fleet/databases.ts";
import type { LogLine } from "../../shop/sidecar-process.ts";
import { until } from "../../until.ts";
import type { Sent } from "../../whatsapp/index.ts";
import { answer, Customer, compare, leftInDoubt, PATIENCE_MS, postsOf, REPLIES, written } from "./customer.ts";
import { close, databases, ends, lisbon, type Machine, machines, open, porto } from "./machines.ts";

// Two machines of a shop on one PostgreSQL. All of it is real but for the far ends: each machine has a WhatsApp
// number, its gateway with the plugin, and its sidecar.

/** Of two gateways, perhaps beside a third one of another file. */
const START_MS = 360_000;

/** A kill with what comes after it; that of the gateway has a start in it. */
const KILL_MS = 400_000;

/** Within this time a sidecar that is started again works on its own account: docs/fleet.md. */
const TAKEN_UP_MS = 30_000;

beforeAll(async () => {
  await open();
  ends?.hotbags.answers(answer);
}, START_MS);
afterAll(close, START_MS);

// There may be no PostgreSQL here; the skip says why.
beforeEach((test) => void running(test, databases));

interface Status {
  messages: Record<"accepted" | "delivered" | "pending" | "dead" | "discarded", number>;
  commands: Record<"pending" | "sending" | "sent" | "in_doubt" | "failed", number>;
}

interface Fleet {
  accounts: { account_id: string; sidecar: string | null; beside: boolean; waiting: number; replies_waiting: number }[];
}

/** Lines of a sidecar that it has sent a reply of this account. */
const isSentOf =
  ({ account }: Machine) =>
  (line: LogLine) =>
    line.msg === "reply sent" && line["transport_session_id"] === `whatsapp:${account}`;

/** Lines of a sidecar that say this of the message. */
const linesOf = ({ sidecar }: Machine, id: string, msg: string) =>
  sidecar.lines.filter((line) => line.msg === msg && line["message_id"] === id);

const sumOf = (statuses: readonly Status[], count: (status: Status) => number) =>
  statuses.reduce((sum, status) => sum + count(status), 0);

/** Nothing is under way any more at either machine, and nobody is asked any more about a reply in doubt. */
async function isSettled(): Promise<boolean> {
  const looks = await Promise.all(machines.map((machine) => machine.health()));
  const statuses = looks.map(({ body }) => body as unknown as Status);
  const commands = sumOf(statuses, ({ commands: { pending, sending, in_doubt } }) => pending + sending + in_doubt);
  const messages = sumOf(statuses, ({ messages: { pending } }) => pending);
  const kept = machines.flatMap((machine) => machine.inOutbox()).length;
  return looks.every(({ status }) => status === 200) && messages + kept + commands - leftInDoubt().size === 0;
}

/** Waits for that, and looks at the ledger of all that was ever written. */
async function settled(): Promise<void> {
  await until("all is settled", isSettled, PATIENCE_MS, 100);
  const statuses = await Promise.all(machines.map((machine) => machine.ask<Status>("status")));
  const [count, doubts] = [written.size, leftInDoubt().size];
  expect({
    accepted: sumOf(statuses, ({ messages }) => messages.accepted),
    delivered: sumOf(statuses, ({ messages }) => messages.delivered),
    left: sumOf(statuses, ({ messages: { pending, dead, discarded } }) => pending + dead + discarded),
    sent: sumOf(statuses, ({ commands }) => commands.sent),
    notSent: sumOf(statuses, ({ commands: { in_doubt, failed } }) => in_doubt + failed),
  }).toEqual({ accepted: count, delivered: count, left: 0, sent: REPLIES * count - doubts, notSent: doubts });
  expect(ends.hotbags.violations).toEqual([]);
}

it("customers of both numbers are answered, each by the machine of the number", async () => {
  const both = lisbon.newCustomer();
  const all = machines.flatMap((machine) => [
    ...[new Customer(machine), new Customer(machine)],
    new Customer(machine, both),
  ]);
  await Promise.all(all.map((customer) => customer.talks("hello", "still there?", "bye")));
  await settled();
  for (const customer of all) customer.expectAllOnce();
  for (const id of written) expect(postsOf(id)).toHaveLength(1);
  const sentBy = ({ sidecar }: Machine, of: Machine) => sidecar.lines.filter(isSentOf(of)).length;
  const sent = () => sentBy(lisbon, lisbon) + sentBy(porto, porto);
  // A log comes a little later than what it tells of.
  await until("each reply is logged", () => sent() === REPLIES * written.size - leftInDoubt().size);
  expect(sentBy(lisbon, porto) + sentBy(porto, lisbon)).toBe(0);
});

it("a message of a group with both numbers, which both machines get, is one, and answered by one", async () => {
  const anna = lisbon.newCustomer();
  const group = lisbon.newGroup({ members: [anna] });
  const sent = await anna.says("hello", { in: group, to: lisbon.account });
  const { id } = sent;
  await anna.says("hello", { in: group, to: porto.account, id });
  written.add(id);
  const count = (msg: string) => machines.flatMap((machine) => linesOf(machine, id, msg)).length;
  const haveBothIt = () => count("message accepted") > 0 && count("message was here already") > 0;
  await until("both have it", haveBothIt, PATIENCE_MS);
  await settled();
  expect(count("message accepted")).toBe(1);
  expect(postsOf(id)).toHaveLength(1);
  const replies = () => compare([sent], group.heard);
  await until("the group is answered", () => replies().heard.length >= replies().due.length);
  expect(replies().heard).toEqual(replies().due);
  expect(new Set(group.heard.map(({ accountId }) => accountId)).size).toBe(1);
});

type Left = Awaited<ReturnType<typeof killAmidReplies>>;

/** Kills lisbon's sidecar while each of its customers is in the middle of something else. */
async function killAmidReplies() {
  const { hotbags } = ends;
  const [anna, ben, carla, dora] = [
    new Customer(lisbon),
    new Customer(lisbon),
    new Customer(lisbon),
    new Customer(lisbon),
  ];
  const ofPorto = new Customer(porto);
  // A first burst of somebody new is put out of order by Baileys.
  await Promise.all([anna, ben, carla, dora, ofPorto].map((customer) => customer.talks("hello")));
  // Where the kill comes depends on who is answered next.
  await settled();
  const lift = hotbags.faultFor(({ from }) => from === ben.number, "hang", Number.POSITIVE_INFINITY);
  hotbags.faultFor(({ from }) => from === carla.number, "hang-after-processing");
  const takenIn = [
    await ben.says("not at Hot Bags yet"),
    await carla.says("at Hot Bags, and its answer is not here yet"),
  ];
  await until("both are POSTed", () => takenIn.every(({ id }) => postsOf(id).length > 0), PATIENCE_MS);
  lisbon.crash.arm("send:after");
  const killed = lisbon.sidecar.ended();
  await anna.says("the first reply goes out, and that is not written down");
  expect(await killed).toBe("SIGKILL");
  lift();
  const isHeard = () => anna.replies.heard.length === anna.replies.due.length - REPLIES + 1;
  await until("the first reply is on the phone", isHeard, PATIENCE_MS);
  const kept = [await anna.says("are you there?"), await anna.says("hello?"), await dora.says("are you open today?")];
  const isKept = () => kept.every(({ id }) => lisbon.inOutbox().includes(id));
  await until("the plugin has what was said since", isKept, PATIENCE_MS);
  return { anna, ben, carla, dora, ofPorto, takenIn, kept };
}

/** Lisbon has no sidecar: porto's brings Hot Bags what was taken in, sends none of it, and answers its own number. */
async function expectPortoDelivers({ anna, ben, carla, dora, ofPorto, takenIn, kept }: Left): Promise<void> {
  await ofPorto.talks("and here?");
  const isDelivered = ({ id }: Sent) => linesOf(porto, id, "delivered to Hot Bags").length === 1;
  await until("porto has delivered it", () => takenIn.every(isDelivered), PATIENCE_MS);
  await ofPorto.talks("still there?");
  const missing = [
    [anna, 3 * REPLIES - 1],
    [ben, REPLIES],
    [carla, REPLIES],
    [dora, REPLIES],
  ] as const;
  for (const [{ replies }, count] of missing) expect(replies.heard).toEqual(replies.due.slice(0, -count));
  expect(lisbon.inOutbox().sort()).toEqual(kept.map(({ id }) => id).sort());
  for (const { id } of kept) expect(postsOf(id)).toEqual([]);
  const { accounts } = await porto.ask<Fleet>("fleet");
  // Anna's second and third, and all of Ben's and Carla's. Her first is being sent, as far as anybody knows.
  const waits = { waiting: 0, replies_waiting: 3 * REPLIES - 1 };
  expect(accounts).toContainEqual(
    expect.objectContaining({ account_id: lisbon.account, sidecar: porto.account, beside: false, ...waits }),
  );
  const { messages, commands } = await porto.ask<Status>("status");
  const accepted = written.size - kept.length;
  expect(messages).toMatchObject({ accepted, delivered: accepted, pending: 0, dead: 0, discarded: 0 });
  const sending = { pending: waits.replies_waiting, sending: 1, in_doubt: leftInDoubt().size, failed: 0 };
  expect(commands).toMatchObject({ ...sending, sent: REPLIES * (accepted - 3) - sending.in_doubt });
}

async function expectAllAnswered({ anna, ben, carla, dora, ofPorto }: Left): Promise<void> {
  const all = [anna, ben, carla, dora, ofPorto];
  await until("all are answered", () => all.every(({ isAnswered }) => isAnswered), PATIENCE_MS);
  await settled();
  for (const customer of all) customer.expectAllOnce();
  expect(porto.sidecar.lines.filter(isSentOf(lisbon))).toEqual([]);
}

it("a sidecar is killed amid its replies: the other one delivers, and its customers are answered when it is back", {
  timeout: KILL_MS,
}, async () => {
  const left = await killAmidReplies();
  await expectPortoDelivers(left);
  const isTakenUp = ({ msg, account }: LogLine & { account?: unknown }) =>
    msg === "this sidecar works on this account now" && account === lisbon.account;
  await Promise.all([lisbon.sidecar.logs(isTakenUp, TAKEN_UP_MS), lisbon.sidecar.start()]);
  await expectAllAnswered(left);
});

it("its gateway is killed as well: the other one delivers, and its customers are answered when both are back", {
  timeout: KILL_MS,
}, async () => {
  const left = await killAmidReplies();
  await lisbon.gateway.kill();
  await expectPortoDelivers(left);
  await Promise.all([lisbon.sidecar.start(), lisbon.restartGateway()]);
  await expectAllAnswered(left);
});
