import { afterEach, beforeEach, expect, it } from "vitest";
import { CONNECTED, ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { exampleConfig } from "../openclaw/config.ts";
import { startHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { leaveANight, steadied } from "./night.ts";
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

/** What happens while a command waits for it. */
type Meanwhile = () => unknown;

/** What it prints, with what differs from run to run made the same. */
async function shown(command: string, meanwhile?: Meanwhile): Promise<string> {
  const running = startHotbags({ BRIDGE_STATE_DIR: sidecar.dir }, command.split(" "));
  if (meanwhile) {
    await until("it waits", () => running.said.includes("Waiting"), 30_000);
    await meanwhile();
  }
  const { stdout, stderr } = await running.ended;
  const text = steadied(meanwhile ? `${stderr}${stdout}` : `${stdout}${stderr}`, sidecar.dir).replace(
    /until 2026-03-02 03:12:40|(?<=\d {2})2026-03-02 03:12:40(?= {2}operator)/g,
    (at) => at.replace("03:", "05:"),
  );
  return `    $ hotbags ${command}\n${text.replace(/^(?=.)/gm, "    ")}`;
}

it("docs/operations.md has each answer as the command gives it", async () => {
  await leaveANight(sidecar.dir);
  await sidecar.process.start();
  plugin = await sidecar.connect();
  await until("it is healthy", async () => (await sidecar.health()).body.ok);
  const section = async (question: string, before: string, commands: string[], after = "") => {
    const answers: string[] = [];
    for (const command of commands) answers.push(await shown(command));
    return [`## ${question}`, before, ...answers, ...(after ? [after] : [])].join("\n\n");
  };
  const forgetting = async () => {
    await until("the message that was sent again is settled", async () => {
      const { body } = await sidecar.health<{ messages: { pending: number } }>();
      return body.messages.pending === 0;
    });
    const commands = [`forget ${BEN} --dry-run`, `forget ${BEN} --yes`];
    return section("A customer asks to be forgotten", FORGET, commands, ELSEWHERE);
  };
  gateway.config = await exampleConfig({
    ...{ port: 18_789, root: "/", accountIds: [], plugin: {} },
    sidecarUrl: "ws://",
  });
  const sections = [
    HEAD,
    BEGIN,
    await section("Are customers being answered?", "", ["status"], STATUS).then((text) => text.replace("\n\n\n", "\n")),
    await section("Is everything set up?", SET_UP, ["doctor"], SET_UP_ALONE),
    await section("What was wrong, and was I told?", ALERTS, ["alerts list", "alerts test"]),
    await section("Which messages has Hot Bags not got?", LOST, ["messages list --state dead", "messages show 2"]),
    await section("Hot Bags is mended. And now?", RETRY, ["messages retry 2"], RETRY_MANY),
    await section("Did the customer get the reply, or not?", DOUBT, [
      ...["commands list --state in_doubt", "commands show 1", "commands resolve 1 --sent --yes"],
    ]),
    await section("I answer this one myself", PAUSE, [
      ...[`chats pause ${ANNA} --for 2h`, "chats list", `chats resume ${ANNA}`],
    ]),
    await forgetting(),
    [`## WhatsApp is logged out`, LOGGED_OUT, ...(await relinked()), QR].join("\n\n"),
    [`## Does it all work still, after an upgrade?`, UPGRADED, await pairChecked()].join("\n\n"),
    await sidecarStopped().then((status) => ["## The sidecar does not run", DOWN, status, DOWN_NEXT].join("\n\n")),
    REST,
  ];
  await expect(`${sections.join("\n\n")}\n`).toMatchFileSnapshot("../../docs/operations.md");
}, 90_000);

async function sidecarStopped(): Promise<string> {
  plugin.socket.terminate();
  await sidecar.process.stop();
  return shown("status");
}

async function relinked(): Promise<string[]> {
  gateway.accounts = [{ ...CONNECTED, connected: false, running: false, healthState: "logged-out" }];
  await until("it is known", async () => JSON.stringify((await sidecar.health()).body).includes("logged this device"));
  const red = await shown("status");
  const mended = await shown("relink", () => {
    gateway.accounts = [CONNECTED];
  });
  return [red, mended];
}

async function pairChecked(): Promise<string> {
  hotbags.answers(({ message_id }) => [{ command_id: message_id, type: "send_text", text: "Hello" }]);
  return shown(`pair-check --from ${BEN}`, () => plugin.handIn(messageOf("3EB0C1D2E3F4", BEN)));
}

const HEAD = `# Operations

The questions of an operator, and the command that answers each, with what it says. On a machine that \`install.sh\` has set up it is \`hotbags\`, for whoever may use sudo:

    $ sudo hotbags status

It asks for sudo itself, so that can be left out. From a clone it is \`npm run -s hotbags -- status\` after \`npm run build\`, which brings a fit Node along, or with one of your own \`node -- sidecar/dist/cli.js status\`: as the user that the sidecar runs as, with the same \`BRIDGE_STATE_DIR\`. \`--help\` behind any part of a command says more. Times are in the time zone of the machine, which \`hotbags --help\` names, both in answers and in options such as \`--since\`. For scripts: \`--json\` gives every answer as JSON, with times in UTC, and the exit code is 0 when it was done, 1 when the answer is no (unhealthy, not found, refused), 2 when the command line is wrong, 3 when nobody can be asked, 78 when the settings won't do (and, of \`serve\`, for all that a restart does not help against). \`hotbags completion bash >> ~/.bashrc\` completes commands (\`hotbags completion --help\` for zsh and fish, too).

Whoever would rather look than type: the [owner's page](console.md) shows and repairs the same, by the same rules. \`hotbags console\` prints a link to it.

<!-- Made by test/sidecar/operations-doc.test.ts: vitest run --project unit operations-doc -u -->`;
const BEGIN = `## Something is red. Where do I begin?

With \`hotbags status\`. An alert, \`/health\` and it say the same sentences, each with what to do; it has the counts as well, and behind each that is not 0 the command that goes on:

| it says | go on with |
|---|---|
| the sidecar does not run | [the sidecar does not run](#the-sidecar-does-not-run) |
| the phone has logged this device out | [WhatsApp is logged out](#whatsapp-is-logged-out) |
| dead letters | [which messages has Hot Bags not got?](#which-messages-has-hot-bags-not-got) |
| in doubt | [did the customer get the reply, or not?](#did-the-customer-get-the-reply-or-not) |
| failed | \`hotbags commands list --state failed\` has the reasons: mend what Hot Bags answers, and answer on the shop's phone |
| parked there | [parked messages](plugin.md#parked-messages): what the sidecar does not take |
| paused chats | [I answer this one myself](#i-answer-this-one-myself) |
| another sentence with a dash | what it says; \`hotbags doctor\` looks at [each part](#is-everything-set-up), and [alerts.md](alerts.md#which-there-are) explains each kind |`;
const DOWN =
  "Commands that change nothing answer all the same, by its database; the others end with 3. Why it does not run is the last line of its log.";
const DOWN_NEXT =
  "`systemctl status hotbags-sidecar` says since when, `journalctl -u hotbags-sidecar -n 20` why, in a sentence that says what to change. Then `systemctl start hotbags-sidecar`. Where the database is the reason: [the disk died](#the-disk-died-or-it-will).";
const SET_UP =
  "Each thing that has to be right, in a line; where it is not, what to do stands below it. Nothing is changed, and nothing is created at Hot Bags: it is [asked with a HEAD](contract/README.md#ping). `--test-alert` sends an alert.";
const SET_UP_ALONE =
  "The sidecar that runs looks at it all itself, with the settings and the connections that it has. Before its first start, or where it does not run, the command does, with the settings that the sidecar would have (not set up by `install.sh`: `--env-file` names their file). The exit code is 1 where something is wrong (`fail`), not for what is to be looked at (`warn`) or can't be (`skipped`).";
const LOGGED_OUT =
  "The phone ends a link when somebody removes it there, or when the phone was away for two weeks. No message comes or goes then, and what customers write meanwhile is on the phone alone; replies wait. A phone has to scan a code.";
const QR =
  "`hotbags relink --qr` shows the code in this terminal instead, and each one that takes its place, until it is scanned: over ssh nothing else is needed. Whoever scans it first has the account's messages, so nobody else should see it. A link that works is never given up for another one.";
const UPGRADED =
  "Write from a phone that is let in, and see what becomes of the message, until the reply is out. Hot Bags gets a message as any other.";
const STATUS =
  "Where something is wrong, it says what, and what to do ([alerts.md](alerts.md) has more). While the sidecar is stopped, all commands that change nothing say what its database says.";
const ALERTS =
  "What lasts comes first, then what is over. The table in [alerts.md](alerts.md#which-there-are) says of each what to do. A test goes every way that is set, and says what came of it.";
const LOST =
  "A dead letter is a message that Hot Bags refused for 24 hours, or that no retry can help. It keeps its key and its text.";
const RETRY =
  "It goes again with its own key and the same bytes, in its place in its chat, with all its time. If Hot Bags had got it after all, it knows the key.";
const RETRY_MANY =
  "`hotbags messages retry --dead-since 12h` or `--all-dead` sends many; it says how many, and asks. `hotbags messages show 2` says when it is delivered. `hotbags messages discard` is for those that nobody needs any more: it deletes their texts and files, and keeps their keys.";
const DOUBT =
  "In doubt is what was being sent when the gateway or the machine died, and of which no proof was found. The phone shows the truth; you say what became of it.";
const PAUSE =
  "While you write on the shop's phone, no reply of Hot Bags goes out in that chat; its messages go on to reach Hot Bags. With `--skip` what would have been sent is dropped instead of held.";
const FORGET = `It deletes what there is of them in the sidecar's database and files, while the sidecar runs: texts, files, ids, replies, errors, and the number itself, in their own chat and in groups. What is deleted is overwritten, also in the database's log. Keyed hashes stay, so that a message that comes again is neither answered twice nor brings anything back: those of ids for as long as keys do, that of the number for good. What waits for Hot Bags or WhatsApp, or is in doubt, is not deleted unless you say \`--including-waiting\`: then its messages become dead letters and its replies fail, and both are forgotten. What is being sent can't be called back.`;
const ELSEWHERE = `It knows nothing of these, and whoever is asked for erasure has to look there too:

- the plugin's outbox: a message is deleted from it as soon as the sidecar has it, but its dead letters stay, and what was deleted is not overwritten (\`openclaw hotbags status\` says how many there are, [plugin.md](plugin.md) where it is);
- OpenClaw's own transcripts, media and contacts in its state folder, and the shop's phone;
- Hot Bags itself, backups of the database, and what a restore, a move or an upgrade has kept of before (\`before-restore-…\` and \`before-move-…\` in the state folder, \`bridge.sqlite\` where \`BRIDGE_STORE\` is set, \`.before-upgrade\` behind its name; it names those that there are);
- what an earlier release has deleted: until its pages are used again, its words can be in them. Stop the sidecar, and \`sqlite3 bridge.sqlite VACUUM\`, once;
- copies that a disk keeps by itself, as a solid-state one and a file system with snapshots do.`;
const REST = `## May Hot Bags write first?

Not unless you say so. \`BRIDGE_OUTBOUND=known\` lets it write to chats that have written within \`BRIDGE_OUTBOUND_KNOWN_HOURS\`: an answer that comes late, "your bag is ready". \`any\` lets it begin conversations: WhatsApp bans numbers that write to people who did not ask, and then nobody is answered any more. \`hotbags config reload\` puts it to use, \`hotbags doctor\` says whether Hot Bags' outbox can be read, \`hotbags status\` how much was taken from it and refused, and \`hotbags commands list\` names each. To stop it at once, also what waits here: \`BRIDGE_OUTBOUND=off\`, and \`hotbags config reload\`. [What holds](contract/README.md#the-outbox).

## Which settings count?

\`hotbags config\` lists each one, its value (of secrets, that there is one), and where it is from; beside a running sidecar also what was written since and is not in use yet. \`hotbags config --env-file <file>\` checks a file before a sidecar gets it. What is wrong is said all at once, with exit code 78. [configuration.md](configuration.md) explains them.

## How is a token replaced?

With two of it at once, so that nobody waits: [configuration.md](configuration.md#replacing-a-secret). \`hotbags config reload\` has the sidecar go on with what is written now.

## What happens just now?

\`hotbags tail\` shows each message as it comes in and is delivered, and what becomes of its replies, with masked numbers; \`--chat +15550001001\` only those of one chat. It follows a sidecar that is started again, and says so.

## The disk died. Or it will

\`hotbags backup /var/backups/hotbags\` puts all of the state into one file, while the sidecar runs; \`hotbags restore\` goes on from it. (On PostgreSQL its own tools do that, and \`hotbags restored\` is to be said after them: [fleet.md](fleet.md#a-database-that-was-restored).) What may have been sent in between is in doubt then, and never sent twice: [backup.md](backup.md). On the VM that is done every night, and off the machine where you say how; \`hotbags status\` says of when the last one is.

## Is there a newer release?

\`hotbags releases\` says what is here and what is the newest, of the bridge (where \`BRIDGE_RELEASES_URL\` says where it is told) and of OpenClaw. On the VM it is looked once a day, and you are told once of each ([alerts.md](alerts.md#units)). Nothing is installed by itself: a release of OpenClaw counts when a release of the bridge was tested with it.

## Who did what?

\`hotbags audit\` lists who sent what again, discarded, resolved, paused, forgot or read the text of (\`show --content\`), reloaded the settings or made a backup, when, and with which result.`;
