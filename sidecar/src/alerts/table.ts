/** How much it matters. `critical`: customers are not answered, or will not be. `warning`: somebody has to look. */
export type Severity = "critical" | "warning" | "info";

/**
 * Who tells of it, where several sidecars share a store: of an `account` its owner, of the `fleet` the one that leads, of a
 * `machine` its own sidecar. A sidecar that is alone is all of them.
 */
export type TellerKind = "account" | "fleet" | "machine";

/** One kind of alert. docs/alerts.md has the same as a table, printed from here. */
export interface AlertKind {
  readonly severity: Severity;
  readonly teller: TellerKind;
  /** What is the case, in a few words: the title of a notice. */
  readonly title: string;
  /** When it starts, for the docs. */
  readonly starts: string;
  /** When it ends, for the docs; null: it has no end, it has happened. */
  readonly ends: string | null;
  /** What to do, for the docs; the text of each alert says it, too. */
  readonly advice: string;
  /** It must be away for so long, ms, before its end is told; ALERT_CALM_SECONDS, unless it is set here. */
  readonly calmMs?: number;
}

const HOUR_MS = 3_600_000;
const DOWN = "after `ALERT_DOWN_MINUTES` (3)";

/** All kinds, in the order of a message's way. */
export const ALERTS = {
  logged_out: {
    ...{ severity: "critical", teller: "account", title: "WhatsApp is logged out" },
    starts: "at once: the phone has logged an account out, or none is linked to it",
    ends: "WhatsApp is connected",
    advice:
      "link it again: `hotbags relink --qr`, or on the gateway's machine `openclaw channels login --channel whatsapp --account <id>`, and scan the code with the phone",
  },
  replaced: {
    ...{ severity: "critical", teller: "account", title: "Another session has taken WhatsApp over" },
    starts: "at once: another WhatsApp Web session has taken the link of an account over",
    ends: "WhatsApp is connected",
    advice: "close the other session (a second gateway with the same credentials?), and restart the gateway",
  },
  whatsapp_down: {
    ...{ severity: "critical", teller: "account", title: "WhatsApp is not connected" },
    starts: `${DOWN} without a connection of an account, or without any account`,
    ends: "WhatsApp is connected",
    advice: "see the machine's internet connection; what OpenClaw gave up the bridge starts again by itself",
  },
  lock: {
    ...{ severity: "critical", teller: "account", title: "WhatsApp has locked the number" },
    starts:
      'WhatsApp has locked the number of an account ("reach-out time lock"): OpenClaw sends nothing to its direct chats, and their replies wait here',
    ends: "a reply has gone out, or its end is past and none waits",
    advice:
      "nothing on the machine shortens it; the text says until when it lasts, if WhatsApp does. Answer what can't wait on the shop's phone, and look there for what WhatsApp has against the number ([more](limits.md#when-whatsapp-locks-the-number))",
  },
  downtime: {
    ...{ severity: "critical", teller: "account", title: "Messages may be missing" },
    starts: "WhatsApp is connected again after OpenClaw was away for so long that messages can be missing",
    ends: null,
    advice:
      "open WhatsApp on the shop's phone, look at the chats of the time that the alert names, and answer there what is still unanswered ([more](#downtime))",
  },
  quiet: {
    ...{ severity: "warning", teller: "machine", title: "No message comes in" },
    starts:
      "nothing has come in for `BRIDGE_QUIET_HOURS` of the opening hours, though all is connected. Off unless that is set ([below](#quiet))",
    ends: "a message comes in",
    advice:
      "write to the shop from a phone that is let in, and see whether `messages.accepted` in `/health` grows. If it does, customers are just silent. If not, restart the gateway, and look at the shop's phone for what customers wrote",
  },
  gateway: {
    ...{ severity: "critical", teller: "machine", title: "The gateway can't be reached" },
    starts: `${DOWN} without the gateway, or while it refuses the bridge`,
    ends: "it is connected",
    advice: "what the alert says: it names what is wrong, mostly that it does not run, or `OPENCLAW_GATEWAY_TOKEN`",
  },
  gateway_died: {
    ...{ severity: "warning", teller: "machine", title: "The gateway died" },
    starts: "another gateway answers, and the one before it did not say that it ends: it was killed, or crashed",
    ends: null,
    advice:
      "look at the chats of the instant that the alert names: what OpenClaw had in its hands then is lost ([what](limits.md)). See its log, and the system's for a kill for memory",
  },
  plugin: {
    ...{ severity: "critical", teller: "machine", title: "The plugin is not connected" },
    starts: `${DOWN} without the plugin`,
    ends: "it is connected",
    advice: "`openclaw hotbags status` says why; if there is no such command, OpenClaw has not loaded the plugin",
  },
  version: {
    ...{ severity: "warning", teller: "machine", title: "A part is of another version" },
    starts: `${DOWN} with a plugin, an OpenClaw or a WhatsApp plugin that is not the one that was tested`,
    ends: "it is the tested one",
    advice: "what the alert says: half of an update is missing ([below](#versions))",
  },
  plugin_dead_letter: {
    ...{ severity: "warning", teller: "machine", title: "The plugin has dead letters" },
    starts: "the plugin has messages that it can't hand over",
    ends: "it has none",
    advice: "see the gateway's log for each, and answer on the shop's phone",
  },
  hot_bags: {
    ...{ severity: "critical", teller: "fleet", title: "Hot Bags takes no message" },
    starts:
      "different messages fail and none passes, or there is no connection: when a probe has failed too; of what mostly passes by itself (5xx, 429, no answer in time, no connection) after a minute. One for each `fault`: `backend`, `credentials` (it refuses the token), `gate`, `address`, `contract`, `machine`",
    ends: "Hot Bags takes a message",
    advice:
      "what the alert says: it names the status, `x-vercel-error`, the URL, whether all that failed are of one chat, and [what is most likely wrong](contract/README.md#what-other-answers-mean)",
  },
  certificate: {
    ...{ severity: "warning", teller: "fleet", title: "The certificate of Hot Bags expires soon" },
    starts:
      "Hot Bags' certificate, as seen at the last connection (one a day is made to see it), is good for less than 14 days",
    ends: "a connection shows another one",
    advice: "renew it, or see why it does not renew itself: from its end on no message is delivered",
  },
  message_waits: {
    ...{ severity: "critical", teller: "account", title: "A message waits for Hot Bags" },
    starts: "a message has waited for `HEALTH_MAX_WAIT` minutes (5), in its lane or detached",
    ends: "none has",
    advice:
      "`hotbags messages list --state pending,detached` names them, each with its last error, or why it waits; `hotbags messages show <id>` also when it is tried again",
  },
  dead_letter: {
    ...{ severity: "warning", teller: "account", title: "There are dead letters" },
    starts: "a message is delivered no more; said again when there are more, every 15 min at most",
    ends: "each is sent again, or discarded",
    advice: "`hotbags messages list --state dead`, then `hotbags messages retry` or `discard`",
  },
  refused_command: {
    ...{ severity: "warning", teller: "account", title: "A reply was refused" },
    starts:
      "a command is not valid, or can't be sent, and its customer hears nothing; said again when there are more, every 15 min at most",
    ends: "none was for an hour",
    advice:
      "`hotbags commands list --state failed` has the reasons: mend what Hot Bags answers, and answer on the phone",
    calmMs: HOUR_MS,
  },
  reports: {
    ...{ severity: "warning", teller: "account", title: "Hot Bags takes no reports" },
    starts:
      "with `HOTBAGS_REPORTS_PATH`, or (subject `events`) `HOTBAGS_EVENTS_PATH`: a report or an event has waited for `HEALTH_MAX_WAIT` minutes (5), or none can be written any more; said again when more are given up, every 15 min at most",
    ends: "none has",
    advice: "what the alert says: it names the status and the URL. Messages and replies go on meanwhile",
  },
  outbox: {
    ...{ severity: "warning", teller: "fleet", title: "Hot Bags' outbox can't be read" },
    starts:
      "with `BRIDGE_OUTBOUND=known` or `any`: the outbox was asked in vain for `HEALTH_MAX_WAIT` minutes (5), for it is not there, or gives what can't be read",
    ends: "it answers",
    advice: "what the alert says: it names the status and the URL. Messages and replies go on meanwhile",
  },
  in_doubt: {
    ...{ severity: "warning", teller: "account", title: "Replies are in doubt" },
    starts: "nobody can say whether a reply was sent; said again when there are more, every 15 min at most",
    ends: "each is resolved",
    advice: "`hotbags commands list --state in_doubt`, look at the phone, then `hotbags commands resolve`",
  },
  reply_waits: {
    ...{ severity: "critical", teller: "account", title: "A reply waits for WhatsApp" },
    starts: "a reply has waited for `HEALTH_MAX_WAIT` minutes (5), here or in OpenClaw's own queue",
    ends: "none has",
    advice: "`/health` says what else is wrong; `hotbags commands list --state pending` names them",
  },
  replies_refused: {
    ...{ severity: "critical", teller: "machine", title: "The gateway lets no reply out" },
    starts: "the gateway refuses replies in a way that only the operator can change",
    ends: "it takes them",
    advice: "what the alert says, mostly about `OPENCLAW_GATEWAY_TOKEN` or the WhatsApp plugin",
  },
  number: {
    ...{ severity: "critical", teller: "account", title: "An account has another number" },
    starts: "replies wait because their account is linked to another phone number than their messages were written to",
    ends: "none waits for that",
    advice:
      "if the shop has a new number, add the former one to `BRIDGE_FORMER_NUMBERS` and reload the settings (`hotbags config reload`): they leave from the new number. If not, link the right phone again (the text has the command): they leave from it",
  },
  two_gateways: {
    ...{ severity: "critical", teller: "account", title: "Two gateways have one account" },
    starts:
      "after 15 s, where several sidecars share a PostgreSQL (`BRIDGE_STORE`): the gateways of two of them have the same WhatsApp account. The one that owns it sends its replies, the other none",
    ends: "one of them has it no more",
    advice:
      "take the account out of the gateway that is not meant to have it (`channels.whatsapp.accounts` in its openclaw.json), and restart that gateway. Two links of one number answer for each other, and messages are handed in twice",
  },
  runaway: {
    ...{ severity: "warning", teller: "account", title: "Replies are held back" },
    starts:
      "one chat got more replies than `BRIDGE_CHAT_REPLIES_PER_MINUTE` (30) within a minute or `BRIDGE_CHAT_REPLIES_PER_HOUR` (300) within an hour, so that its next ones are held back",
    ends: "none was for an hour",
    advice:
      "another bot and Hot Bags answer each other, or Hot Bags answers in a loop: look at the chat that the alert names (its number is masked), and have Hot Bags fall silent in it. After an outage it can be what has waited of one chat. What is held goes out as fast as the limits allow, nothing is dropped",
    calmMs: HOUR_MS,
  },
  disk: {
    ...{ severity: "critical", teller: "machine", title: "The disk fills up" },
    starts: "the disk of `BRIDGE_STATE_DIR` has less than `BRIDGE_LOW_DISK_BYTES` left (1 GiB)",
    ends: "it has a tenth more",
    advice:
      "make room before it is full: then nothing is taken in or answered, and OpenClaw loses what comes ([why](limits.md#arrives-sometimes-or-in-another-order)). The gateway's machine is watched by the plugin in the same way ([plugin.md](plugin.md))",
  },
  store: {
    ...{ severity: "critical", teller: "machine", title: "Nothing can be written" },
    starts:
      "the sidecar's database can't be written: no message is taken in, delivered or answered. Where several share it: at once by the one that leads, and after `ALERT_DOWN_MINUTES` (3) by each, since none can know then whether another has told it",
    ends: "it can",
    advice: "what the alert says: mostly the disk is full, or not there",
  },
  database: {
    ...{ severity: "critical", teller: "machine", title: "The database is damaged" },
    starts:
      'the sidecar\'s database is damaged. `scope: "rows"`: what needs the damaged page is given up or waits, all else goes on. `scope: "all"`: the next message would meet it as well, so nothing is taken in, delivered or answered, and nothing is given up',
    ends: "a day has passed without",
    advice: "[restore a backup](limits.md#when-the-database-is-damaged), on another disk if this one fails",
    calmMs: 24 * HOUR_MS,
  },
  ledger: {
    ...{ severity: "critical", teller: "account", title: "The ledger does not add up" },
    starts: "accepted is not delivered + pending + dead + discarded: a message was lost or counted twice",
    ends: "it adds up",
    advice: "keep a copy of the state folder, and report it: this is a defect of the bridge, or of the disk",
  },
  backup: {
    ...{ severity: "warning", teller: "machine", title: "There is no fresh backup" },
    starts:
      "the last whole backup that `hotbags-backup.timer` made is older than 50 hours, or its first ones failed. That one of them failed is told by its [unit](#units)",
    ends: "there is a new one",
    advice: "what the alert says: `journalctl -u hotbags-backup` has the reason",
  },
  clock: {
    ...{ severity: "warning", teller: "machine", title: "The machine's clock is wrong" },
    starts: "the clock says a time before 2026",
    ends: "it does not",
    advice: "set it, or let a time server do so: `timedatectl set-ntp true`",
  },
  alert_channel: {
    ...{ severity: "warning", teller: "machine", title: "Alerts are not delivered" },
    starts: "`ALERT_WEBHOOK_URL` or `ALERT_COMMAND` was refused, or has failed five times in a row",
    ends: "one was delivered",
    advice: "what the alert says, which the other way and the log bring: `hotbags alerts test` tries all ways",
  },
} as const satisfies Record<string, AlertKind>;

export type Kind = keyof typeof ALERTS;

/** Who tells of a kind, as it is written down. Of one that there is no more, the machine. */
export function tellerOf(kind: string): TellerKind {
  return kind in ALERTS ? ALERTS[kind as Kind].teller : "machine";
}

/**
 * `WhatsApp is logged out (default)`. `subject`: whose or which; "" where there is one only. `instance`: the sidecar that
 * tells it of its machine; null where it is alone, or tells of something else.
 */
export function titleOf(kind: Kind, subject: string, instance: string | null = null): string {
  const which = [subject, instance ?? ""].filter((part) => part !== "").join(", ");
  return which === "" ? ALERTS[kind].title : `${ALERTS[kind].title} (${which})`;
}
