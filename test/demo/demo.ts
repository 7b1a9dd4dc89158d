import { createInterface } from "node:readline";
import { CUSTOMERS, openShop, type Shop } from "../shop/shop.ts";
import { until } from "../until.ts";
import type { Contact } from "../whatsapp/index.ts";
import { drawTimeline, follow } from "./timeline.ts";

const USAGE = `npm run demo [-- --chat]

Starts the whole path on this machine: WhatsApp (a stand-in), the real OpenClaw gateway with its WhatsApp plugin and ours,
the sidecar, and Hot Bags (a stand-in). Nothing leaves the machine, and everything is gone afterwards.

  --chat   keep it running and write as the customer; an empty line or Ctrl-D ends it
`;

const [option, ...rest] = process.argv.slice(2);
if (option === "--help" || option === "-h") {
  process.stdout.write(USAGE);
} else if ((option !== undefined && option !== "--chat") || rest.length > 0) {
  process.stderr.write(`There is no option ${JSON.stringify(process.argv.slice(2).join(" "))}.\n\n${USAGE}`);
  process.exitCode = 2;
} else {
  process.exitCode = await demo(option === "--chat");
}

/** Runs the demo. Resolves with the exit code. */
async function demo(chatting: boolean): Promise<number> {
  say("Starting the real OpenClaw gateway, this bridge, and stand-ins for WhatsApp and Hot Bags (about 20 seconds):");
  const interrupted = onInterrupt();
  const start = performance.now();
  const log = (line: string) => say(`  ${((performance.now() - start) / 1000).toFixed(1).padStart(5)} s  ${line}`);
  const shop = await openShop({ log, interrupted });
  try {
    log("ready");
    const [number = ""] = CUSTOMERS;
    const customer = shop.whatsapp.contact(number, { name: "Customer" });
    if (chatting) await chat(shop, customer, interrupted);
    else await Promise.race([show(shop, customer), interrupted]);
  } catch (error) {
    process.stderr.write(`\nThe demo failed: ${error instanceof Error ? error.message : String(error)}\n`);
    return 1;
  } finally {
    await shop.close();
    say("Everything that was started is stopped, and its files are removed.");
  }
  return 0;
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
    { command_id: `reply-${message_id}`, type: "send_text", text: `You wrote: ${text}` },
  ]);
  const stop = shop.whatsapp.onEvent((event) => {
    if (event.type === "heard" && event.message.chat === customer.number)
      say(`  Hot Bags: ${event.message.text ?? ""}`);
  });
  say(
    `\nYou are the customer ${customer.number}. Write a message; an empty line ends the demo. Hot Bags repeats what you wrote.\n`,
  );
  const terminal = createInterface({ input: process.stdin });
  const ended = new Promise<void>((resolve) => {
    terminal.on("line", (line) => {
      if (line.trim() === "") resolve();
      else void customer.says(line);
    });
    terminal.on("close", resolve);
  });
  await Promise.race([ended, interrupted]);
  terminal.close();
  stop();
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
