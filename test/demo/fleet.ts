import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { startPostgres } from "../setup/postgres.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import type { LogLine } from "../shop/sidecar-process.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { drawTimeline, type Moment } from "./timeline.ts";

/** A lease lasts 15 s, and is asked for every 2 s; a machine that has much to do takes longer. */
const PATIENCE_MS = 120_000;

interface Stage {
  /** Says a line to people. */
  say(line: string): void;
  /** The same, with the time. */
  log(line: string): void;
  /** Nobody wants to see more. */
  signal: AbortSignal;
}

/** The id of the message that waits. */
const BAG = "red-bag";

type Machine = Awaited<ReturnType<typeof startMachine>>;

/**
 * Two machines with one store: each has a gateway with an account, and a sidecar beside it. Kills one sidecar while a
 * message waits, and shows who goes on with it. Rejects where something does not come exactly once, and when it is aborted.
 */
export async function showFleet(stage: Stage): Promise<void> {
  await using stack = new AsyncDisposableStack();
  const aborted = Promise.withResolvers<never>();
  stage.signal.addEventListener("abort", () => aborted.reject(stage.signal.reason));
  const told = tell(stage, stack);
  // Once aborted, what it still waits for is taken from it.
  told.catch(() => {});
  await Promise.race([told, aborted.promise]);
}

/** What it starts is put on the stack. */
async function tell({ say, log }: Stage, stack: AsyncDisposableStack): Promise<void> {
  const postgres = await startPostgres();
  if (typeof postgres === "string") throw new Error(postgres);
  stack.use(postgres);
  log("PostgreSQL, as the store of both");
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  stack.defer(() => hotbags.close());
  hotbags.answers(({ message_id, text }) => [
    { command_id: `reply-${message_id}`, type: "send_text", text: `Yes! (You asked: ${text})` },
  ]);
  log("Hot Bags (a stand-in)");
  const store = `postgres://postgres@${encodeURIComponent(postgres.host)}/postgres`;
  const moments: Moment[] = [];
  const machines: Machine[] = [];
  for (const [name, account] of [
    ["machine-1", "lisbon"],
    ["machine-2", "porto"],
  ] as const) {
    const machine = await startMachine({ name, account, store, hotbags, moments });
    stack.defer(() => machine.close());
    machines.push(machine);
    log(`${name}: a gateway (a stand-in) with the WhatsApp account ${account}, and the real sidecar`);
  }
  const [first, second] = machines;
  if (!first || !second) throw new Error("there are two machines");

  say("\nA customer of each account writes, and is answered by the sidecar beside its gateway:\n");
  for (const machine of machines) await machine.roundTrip(`hello-${machine.account}`, "hello");
  say(await fleetSeenBy(second));

  say(
    "\nNow one more writes to lisbon. Hot Bags fails once (503), and machine-1's sidecar is killed before it tries again:\n",
  );
  moments.length = 0;
  const stop = hotbags.onEvent((event) => {
    if (event.type !== "answered") return;
    const status = event.attempt.status ?? "nothing";
    moments.push({ atMs: event.at, where: "Hot Bags", what: `answers ${status} to the POST of ${event.attempt.key}` });
  });
  hotbags.next({ status: 503 });
  const refused = until(
    "Hot Bags has refused it",
    () => hotbags.requests.some(({ status }) => status === 503),
    PATIENCE_MS,
  );
  await first.says(BAG, "Is the red bag still there?");
  await refused;
  await first.kill();
  await until(
    "machine-2 has brought Hot Bags the message",
    () => second.logged("delivered to Hot Bags", BAG),
    PATIENCE_MS,
  );
  const meanwhile = await fleetSeenBy(second);
  await second.roundTrip("blue-bag", "And here?");
  await first.start();
  await until("the customer of lisbon has the reply", () => first.heard(BAG) > 0, PATIENCE_MS);
  await until("it is written down", () => first.logged("reply sent", BAG), PATIENCE_MS);
  stop();
  say(drawTimeline(moments.sort((a, b) => a.atMs - b.atMs)));
  say(
    "\n  The long wait is the lease: it lasts 15 s from its last renewal, and only then can another sidecar have the account.",
  );
  say("\nBetween the take-over and machine-1's return, seen from machine-2:\n");
  say(meanwhile);
  say("\nAnd now:\n");
  say(await fleetSeenBy(second));
  for (const id of [BAG, "blue-bag"]) exactlyOnce(id, hotbags, machines);
  say("\n  → each message is at Hot Bags once, and each customer has one reply.\n");
  say("How it works, and what it promises: docs/fleet.md\n");
}

interface MachineOptions {
  name: string;
  account: string;
  store: string;
  hotbags: HotBags;
  /** What happens is told here. */
  moments: Moment[];
}

/** One machine: a gateway with an account, and a sidecar beside it. */
async function startMachine({ name, account, store, hotbags, moments }: MachineOptions) {
  const note = (where: string, what: string, atMs = Date.now()) => void moments.push({ atMs, where, what });
  const gateway = new ScriptedGateway();
  gateway.accounts = [{ ...CONNECTED, accountId: account }];
  await gateway.start();
  gateway.send = ({ to, message, idempotencyKey }) => {
    note("phone", `${to} gets “${readable(message)}”`);
    return { ok: true, payload: { runId: "r", messageId: `WA-${idempotencyKey}`, channel: "whatsapp" } };
  };
  const sidecar = await BuiltSidecar.prepare({ hotbags, gateway, env: { BRIDGE_STORE: store, BRIDGE_INSTANCE: name } });
  sidecar.process.onLine((line) => {
    const said = wordsOf(line);
    if (said !== null) note(name, said, Date.parse(String(line["time"])));
  });
  await sidecar.process.start();
  const customer = account === "lisbon" ? "+15550001001" : "+15550001002";
  const logged = (what: string, id: string) =>
    sidecar.lines.some(({ msg, ...line }) => msg === what && line["message_id"] === id);
  const heard = (id: string) => gateway.sends.filter(({ idempotencyKey }) => idempotencyKey.endsWith(id)).length;
  async function says(id: string, text: string): Promise<void> {
    note("phone", `${customer} writes “${text}” to ${account}`);
    const plugin = await sidecar.connect();
    const message = messageOf(id, customer, { account_id: account, text });
    // As the plugin does: again, until it is acknowledged.
    await until("the sidecar has it", async () => (await plugin.handIn(message)).type === "ack", PATIENCE_MS);
    plugin.socket.terminate();
  }
  return {
    ...{ name, account, gateway, says, heard, logged, stateDir: sidecar.dir },
    async roundTrip(id: string, text: string): Promise<void> {
      await says(id, text);
      await until(`the customer of ${account} is answered`, () => logged("reply sent", id), PATIENCE_MS);
    },
    async kill(): Promise<void> {
      note(name, "its sidecar is killed (SIGKILL)");
      await sidecar.process.kill();
    },
    async start(): Promise<void> {
      note(name, "its sidecar is started again");
      await sidecar.process.start();
    },
    async close(): Promise<void> {
      await sidecar.close();
      await gateway.stop();
    },
  };
}

/** As OpenClaw shows it: what it would take for a sign of its own comes as a number. */
function readable(text: string): string {
  return text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)));
}

/** What of its log is shown; null: not this line. */
function wordsOf({ msg, message_id, account }: LogLine & { message_id?: unknown; account?: unknown }): string | null {
  if (msg === "message accepted") return `its sidecar has ${message_id} from the plugin, in the store`;
  if (msg === "delivered to Hot Bags") return `its sidecar has the commands for ${message_id}, in the store`;
  if (msg === "reply sent") return `its sidecar knows that the reply to ${message_id} is sent`;
  if (msg === "this sidecar works on this account now") return `its sidecar works on ${account} now`;
  return null;
}

async function fleetSeenBy({ stateDir }: Machine): Promise<string> {
  const { stdout, stderr } = await runHotbags(stateDir, "fleet");
  return `  $ hotbags fleet\n${`${stdout}${stderr}`.trimEnd().replaceAll(/^/gm, "  ")}`;
}

function exactlyOnce(id: string, hotbags: HotBags, machines: readonly Machine[]): void {
  const posts = hotbags.accepted.filter(({ message_id }) => message_id === id).length;
  const replies = machines
    .flatMap(({ gateway }) => gateway.sends)
    .filter((sent) => sent.idempotencyKey.includes(id)).length;
  if (posts !== 1 || replies !== 1)
    throw new Error(`${id} was taken ${posts} times by Hot Bags and answered ${replies} times, instead of once each`);
}
