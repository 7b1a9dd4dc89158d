import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import type { ScriptedPlugin } from "./scripted-plugin.ts";

// docs/operations.md: what an operator asks at night, the command that answers, and what it says, as it says it.

let hotbags: HotBags;
let gateway: ScriptedGateway;
let sidecar: BuiltSidecar;
let plugin: ScriptedPlugin;

beforeEach(async () => {
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  gateway = await new ScriptedGateway().start();
  gateway.send = ({ idempotencyKey }) => ({ ok: true, payload: { messageId: `WA-${idempotencyKey}` } });
  sidecar = await BuiltSidecar.prepare({ hotbags, gateway });
});
afterEach(async () => {
  plugin.socket.terminate();
  await sidecar.close();
  await hotbags.close();
  await gateway.stop();
});

/** A dead letter, and a reply of which nobody knows whether it went out. */
async function leaveANight(): Promise<void> {
  const store = openStore(sidecar.dir, systemClock);
  const [a, b] = [messageOf("3EB0A1F2C4D5", ANNA), messageOf("3EB0B7E8D9C0", BEN)];
  const { seq: answered } = await store.messages.accept(a);
  const reply = { commandId: "order-17", type: "send_text", text: "It is on its way", payload: "x", refusal: null };
  await store.messages.delivered(answered, 200, "{}", [reply], 420);
  await store.commands.sending(1, null);
  const reason = "the gateway ended while it was being sent";
  await store.commands.settled(1, "in_doubt", { reason, whatsappMessageId: null, partial: true });
  const { seq } = await store.messages.accept(b);
  const error = "Hot Bags answered 500";
  const attempt = { error, status: 500, nextAttemptAt: 0, waitMs: 3_600_000, detach: false };
  for (const durationMs of [310, 295]) await store.messages.failed(seq, { ...attempt, durationMs });
  await store.messages.dead(seq, 500, error, 305);
  store.close();
}

/** What it prints, with what differs from run to run made the same. */
async function shown(command: string): Promise<string> {
  const { stdout, stderr } = await runHotbags(sidecar.dir, ...command.split(" "));
  const text = `${stdout}${stderr}`
    .replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "2026-03-02 03:12:40")
    .replace(/[\d.]+ GiB/, "31.4 GiB")
    .trimEnd();
  return `    $ hotbags ${command}\n${text.replace(/^(?=.)/gm, "    ")}`;
}

it("docs/operations.md has each answer as the command gives it", async () => {
  await leaveANight();
  await sidecar.process.start();
  plugin = await sidecar.connect();
  await until("it is healthy", async () => (await sidecar.health()).body.ok);
  const section = async (question: string, before: string, commands: string[], after = "") => {
    const answers: string[] = [];
    for (const command of commands) answers.push(await shown(command));
    return [`## ${question}`, before, ...answers, ...(after ? [after] : [])].join("\n\n");
  };
  const sections = [
    HEAD,
    await section("Are customers being answered?", "", ["status"], STATUS).then((text) => text.replace("\n\n\n", "\n")),
    await section("Which messages has Hot Bags not got?", LOST, ["messages list --state dead", "messages show 2"]),
    await section("Hot Bags is mended. And now?", RETRY, ["messages retry 2"], RETRY_MANY),
    await section("Did the customer get the reply, or not?", DOUBT, [
      ...["commands list --state in_doubt", "commands show order-17", "commands resolve order-17 --sent --yes"],
    ]),
    await section("I answer this one myself", PAUSE, [
      ...[`chats pause ${ANNA} --for 2h`, "chats list", `chats resume ${ANNA}`],
    ]),
    REST,
  ];
  await expect(`${sections.join("\n\n")}\n`).toMatchFileSnapshot("../../docs/operations.md");
}, 90_000);

const HEAD = `# Operations

The questions of an operator, and the command that answers each. On the VM the \`hotbags\` command is \`/opt/hotbags/sidecar/dist/cli.js\`, and whoever owns the state folder may use it:

    $ sudo -u hotbags BRIDGE_STATE_DIR=/var/lib/hotbags node /opt/hotbags/sidecar/dist/cli.js status

\`--help\` behind any part of a command says more. For scripts: \`--json\` gives every answer as JSON, and the exit code is 0 when it was done, 1 when the answer is no (unhealthy, not found, refused), 2 when the command line is wrong, 3 when nobody can be asked. \`hotbags completion >> ~/.bashrc\` completes commands.

<!-- Made by test/sidecar/operations-doc.test.ts: vitest run --project unit operations-doc -u -->`;
const STATUS =
  "Where something is wrong, it says what, and what to do ([alerts.md](alerts.md) has more). While the sidecar is stopped, all commands that change nothing say what its database says.";
const LOST =
  "A dead letter is a message that Hot Bags refused for 24 hours, or that no retry can help. It keeps its key and its text.";
const RETRY =
  "It goes again with its own key and the same bytes, in its place in its chat, with all its time. If Hot Bags had got it after all, it knows the key.";
const RETRY_MANY =
  "`hotbags messages retry --dead-since 12h` or `--all-dead` sends many; it says how many, and asks. `hotbags messages discard` is for those that nobody needs any more: it deletes their texts and files, and keeps their keys.";
const DOUBT =
  "In doubt is what was being sent when the gateway or the machine died, and of which no proof was found. The phone shows the truth; you say what became of it.";
const PAUSE =
  "While you write on the shop's phone, no reply of Hot Bags goes out in that chat; its messages go on to reach Hot Bags. With `--skip` what would have been sent is dropped instead of held.";
const REST = `## What happens just now?

\`hotbags tail\` shows each message as it comes in and is delivered, and what becomes of its replies, with masked numbers; \`--chat +15550001001\` only those of one chat. It follows a sidecar that is started again, and says so.

## The disk died. Or it will

\`hotbags backup /var/backups/hotbags\` puts all of the state into one file, while the sidecar runs; \`hotbags restore\` goes on from it. What may have been sent in between is in doubt then, and never sent twice: [backup.md](backup.md).

## Who did what?

\`hotbags audit\` lists who sent what again, discarded, resolved, paused or read the text of (\`show --content\`), when, and with which result.`;
