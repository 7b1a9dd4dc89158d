import { createInterface } from "node:readline";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { freePort } from "../hotbags/port.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { askOperator } from "../shop/operator-api.ts";
import { CUSTOMERS, openShop, type Shop } from "../shop/shop.ts";
import { messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import type { Contact } from "../whatsapp/index.ts";
import { showFleet } from "./fleet.ts";
import { drawTimeline, follow } from "./timeline.ts";

const USAGE = `npm run demo [-- --chat | --fleet]

Starts the whole path on this machine: WhatsApp (a stand-in), the real OpenClaw gateway with its WhatsApp plugin and ours,
the sidecar, and Hot Bags (a stand-in). Nothing leaves the machine, and everything is gone afterwards.

  --chat   keep it running: write as the customer, be the operator with the hotbags command, and see it all on the
           owner's page; an empty line or Ctrl-D ends it
  --fleet  two machines instead, with one store in PostgreSQL: the sidecar of one is killed, and the other goes on. The
           gateways are stand-ins. PostgreSQL is this machine's, or Debian's package, unpacked into this clone
`;

const OPTIONS = ["--chat", "--fleet"];

/** What Hot Bags may take to answer the last lines of the chat, ms. */
const ANSWERS_MS = 20_000;

const [option, ...rest] = process.argv.slice(2);
if (option === "--help" || option === "-h") {
  process.stdout.write(USAGE);
} else if ((option !== undefined && !OPTIONS.includes(option)) || rest.length > 0) {
  process.stderr.write(`There is no option ${JSON.stringify(process.argv.slice(2).join(" "))}.\n\n${USAGE}`);
  process.exitCode = 2;
} else {
  process.exitCode = await (option === "--fleet" ? fleet() : demo(option === "--chat"));
}

/** Runs the demo. Resolves with the exit code. */
async function demo(chatting: boolean): Promise<number> {
  say("Starting the real OpenClaw gateway, this bridge, and stand-ins for WhatsApp and Hot Bags (about 20 seconds):");
  const interrupted = onInterrupt();
  const log = logger();
  const [number = ""] = CUSTOMERS;
  const lastNight = (stateDir: string) => leaveDeadLetter(stateDir, number);
  const page = { BRIDGE_CONSOLE: `127.0.0.1:${await freePort()}` };
  const opening = { log, interrupted, ...(chatting && { sidecarState: lastNight, sidecarEnv: page }) };
  const shop = await openShop(opening).catch((error: unknown) => sayFailed("could not start", error));
  if (shop === null) return 1;
  try {
    log("ready");
    const customer = shop.whatsapp.contact(number, { name: "Customer" });
    if (chatting) await chat(shop, customer, interrupted);
    else await Promise.race([show(shop, customer), interrupted, endOf(shop)]);
  } catch (error) {
    sayFailed("failed", error);
    return 1;
  } finally {
    await shop.close();
    say("Everything that was started is stopped, and its files are removed.");
  }
  return 0;
}

/** The one of several machines. Resolves with the exit code. */
async function fleet(): Promise<number> {
  say("Starting PostgreSQL, and two machines that share it (about 10 seconds):");
  const interruption = new AbortController();
  void onInterrupt().then(() => interruption.abort());
  try {
    await showFleet({ say, log: logger(), signal: interruption.signal });
  } catch (error) {
    if (interruption.signal.aborted) say("\nInterrupted.");
    else sayFailed("failed", error);
    return 1;
  } finally {
    say("Everything that was started is stopped, and its files are removed.");
  }
  return 0;
}

/** Says lines with the time since now. */
function logger(): (line: string) => void {
  const start = performance.now();
  return (line) => say(`  ${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${line}`);
}

function sayFailed(how: string, error: unknown): null {
  process.stderr.write(`\nThe demo ${how}: ${error instanceof Error ? error.message : String(error)}\n`);
  return null;
}

async function show(shop: Shop, customer: Contact): Promise<void> {
  shop.hotbags.answers(({ message_id, text }) => [
    { command_id: `reply-${message_id}`, type: "send_text", text: `Yes! (You asked: ${text})` },
  ]);
  say("\nA “hello” goes ahead, which is not timed: with its first message OpenClaw loads what it needs.");
  await customer.says("hello");
  await customer.hears();

  say("\nA customer writes, Hot Bags answers:\n");
  await roundTrip(shop, customer, "Is the red bag still there?");

  say("\nThe same, with Hot Bags failing twice: first 503, then a connection that drops:\n");
  shop.hotbags.next({ status: 503 }, "drop");
  await roundTrip(shop, customer, "And the blue one?");

  const { body } = await shop.health();
  const messages = body["messages"] as Record<string, number>;
  say(
    `\nThe sidecar's ledger, with the “hello”: ${messages["accepted"]} accepted = ${messages["delivered"]} delivered + ${messages["pending"]} pending + ${messages["dead"]} dead.`,
  );
  say("Try it yourself: npm run demo -- --chat\n");
}

/** One message and its one reply, drawn as a timeline. Throws if the reply does not come exactly once. */
async function roundTrip(shop: Shop, customer: Contact, question: string): Promise<void> {
  let id: string | undefined;
  const record = follow(shop, () => id);
  const repliesBefore = customer.heard.length;
  id = (await customer.says(question)).id;
  await customer.hears();
  await until("the sidecar has written down that the reply is sent", () =>
    shop.sidecar.lines.some((line) => line["message_id"] === id && line.msg === "reply sent"),
  );
  say(drawTimeline(record.stop()));
  const replies = customer.heard.length - repliesBefore;
  const attempts = shop.hotbags.requests.filter(({ key }) => key === id).length;
  say(
    `\n  → ${attempts} ${attempts === 1 ? "POST" : "POSTs with one key and the same bytes"}, ${replies} reply on the phone.`,
  );
  if (replies !== 1) throw new Error(`the customer got ${replies} replies instead of one`);
}

/** The terminal is the customer's phone. */
async function chat(shop: Shop, customer: Contact, interrupted: Promise<void>): Promise<void> {
  shop.hotbags.answers(({ message_id, text }) => [
    { command_id: `reply-${message_id}`, type: "send_text", text: answerTo(text) },
  ]);
  const stop = shop.whatsapp.onEvent((event) => {
    if (event.type === "heard" && event.message.chat === customer.number)
      say(`  Hot Bags: ${event.message.text ?? ""}`);
  });
  say(
    `\nYou are the customer ${customer.number}: write a message, and Hot Bags repeats it. An empty line ends the demo.\n` +
      "You are the operator, too. Hot Bags failed last night, and one message became a dead letter. Look, and mend it:\n\n" +
      "  hotbags status\n  hotbags messages list --state dead\n  hotbags messages show 1\n  hotbags messages retry 1\n\n" +
      `Write them here, or in another terminal, where hotbags is npm run -s hotbags --, such as\n\n` +
      // By way of npm: the Node in that terminal may be one that only the scripts can do with.
      `  cd ${process.cwd()}\n  export BRIDGE_STATE_DIR=${shop.stateDir}\n  npm run -s hotbags -- status\n`,
  );
  say(
    `And you are the shop's owner: open this in a browser on this machine, once (“hotbags console” prints another):\n\n` +
      `  ${await linkToConsole(shop)}\n`,
  );
  const terminal = createInterface({ input: process.stdin });
  // One line at a time: what a command prints is not to be mixed with another's.
  let under: Promise<unknown> = Promise.resolve();
  const asked: string[] = [];
  const ended = new Promise<void>((resolve) => {
    terminal.on("line", (line) => {
      const [program, ...args] = line.trim().split(/\s+/);
      if (line.trim() === "") under.then(() => resolve());
      else if (program === "hotbags" && args[0] === "serve") under = under.then(serve);
      else if (program === "hotbags") under = under.then(() => operate(shop, args));
      else {
        asked.push(answerTo(line));
        under = under.then(() => customer.says(line));
      }
    });
    // Where the lines come from a file, the last ones are answered first. The dead letter's answer is none of theirs.
    const isHeard = () => {
      const heard = customer.heard.map(({ text }) => text);
      return asked.every((text) => countOf(heard, text) >= countOf(asked, text));
    };
    const isAnswered = () => until("the customer has heard", isHeard, ANSWERS_MS);
    terminal.on("close", () =>
      under.then(isAnswered).then(
        () => resolve(),
        () => resolve(),
      ),
    );
  });
  let isOver = false;
  let isGone = false;
  /** Whoever ends the sidecar wants to see what becomes of it. */
  const watch = async () => {
    const how = await shop.sidecar.ended();
    isGone = true;
    if (!isOver)
      say(
        `\nThe sidecar has ended (${how}). What the customer writes now waits in the plugin's outbox, on disk.\n` +
          "“hotbags serve” here starts it again; an empty line ends the demo.\n",
      );
  };
  async function serve(): Promise<void> {
    if (!isGone) return say("The sidecar runs.");
    isGone = false;
    await shop.sidecar.start();
    say("The sidecar runs again. What waits comes within 30 seconds: as soon as plugin and gateway are connected.");
    void watch();
  }
  void watch();
  await Promise.race([ended, interrupted]);
  isOver = true;
  terminal.close();
  stop();
}

/** Rejects when the sidecar has ended, which no demo survives that nobody can write in. */
async function endOf(shop: Shop): Promise<never> {
  const how = await shop.sidecar.ended();
  throw new Error(`somebody has ended its sidecar (${how}): start the demo again`);
}

function answerTo(text: string): string {
  return `You wrote: ${text}`;
}

function countOf(all: readonly (string | undefined)[], one: string): number {
  return all.filter((text) => text === one).length;
}

/** A one-time link to the page on which messages can be seen as they move. */
async function linkToConsole({ stateDir }: Shop): Promise<string> {
  const link = { role: "act", user: "owner" };
  return (await askOperator<{ url: string }>(stateDir, "POST", "/api/v1/console/links", link)).url;
}

/** The hotbags command, on the demo's own sidecar. */
async function operate(shop: Shop, args: string[]): Promise<void> {
  const { stdout, stderr } = await runHotbags(shop.stateDir, ...args);
  process.stdout.write(`${stdout}${stderr}\n`);
}

/** What a bad deploy of last night has left of a customer's message. */
async function leaveDeadLetter(stateDir: string, customer: string): Promise<void> {
  const store = openStore(stateDir, systemClock);
  const { seq } = await store.messages.accept(messageOf("LAST-NIGHT", customer, { text: "Do you ship to Spain?" }));
  const error = "Hot Bags answered 500";
  const attempt = { error, status: 500, durationMs: 310, nextAttemptAt: 0, waitMs: 3_600_000, detach: false };
  for (let n = 0; n < 3; n++) await store.messages.failed(seq, attempt);
  await store.messages.dead(seq, 500, error, 290);
  store.close();
}

/** Resolves at Ctrl-C, so that the demo cleans up instead of ending where it stands. */
function onInterrupt(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => resolve());
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
