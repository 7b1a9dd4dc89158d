import { shownSize } from "@hotbags/shared";
import * as z from "zod";
import type { Output as Answer } from "../operator/schemas.ts";
import type { Operator } from "./connect.ts";
import { EXIT } from "./exit-code.ts";
import { describeTotal, type Total } from "./figures.ts";
import {
  type Cell,
  duration,
  green,
  type Output,
  plain,
  red,
  shortTime,
  writeFacts,
  writeJson,
  writeText,
  yellow,
} from "./output.ts";

const reporting = z.looseObject({
  ...{ on: z.boolean().optional(), waiting: z.int(), dropped: z.int() },
  oldest_wait_ms: z.number().optional(),
});

/** What is read here of `/health`. */
const status = z.looseObject({
  version: z.string(),
  ok: z.boolean(),
  problems: z.array(z.string()),
  plugin: z
    .looseObject({
      connected: z.boolean(),
      outbox: z.looseObject({ messages: z.int(), parked: z.int().optional() }).nullable(),
    })
    .optional(),
  gateway: z.looseObject({ link: z.string(), accounts: z.record(z.string(), z.string()) }).optional(),
  hotbags: z
    .looseObject({
      reachable: z.boolean(),
      last_success_at: z.string().nullable(),
      last_failure: z.string().nullable(),
    })
    .optional(),
  messages: z
    .looseObject({
      pending: z.int(),
      detached: z.int(),
      dead: z.int(),
      delivered: z.int(),
      oldest_wait_ms: z.number().optional(),
    })
    .optional(),
  commands: z
    .looseObject({
      pending: z.int(),
      in_doubt: z.int(),
      failed: z.int(),
      sent: z.int(),
      paused_chats: z.int().optional(),
      oldest_wait_ms: z.number().optional(),
    })
    .optional(),
  reports: reporting.optional(),
  events: reporting.optional(),
  outbound: z
    .looseObject({
      mode: z.string().nullish(),
      waiting: z.int().optional(),
      taken: z.int(),
      refused: z.int(),
      last_failure: z.string().nullish(),
    })
    .optional(),
  checks: z
    .array(z.looseObject({ name: z.string(), account: z.string().optional(), since: z.string().nullable() }))
    .optional(),
  last_backup: z
    .looseObject({ made_at: z.string().nullable(), uploaded: z.boolean().nullable(), problem: z.string().nullable() })
    .nullish(),
  releases: z
    .looseObject({
      parts: z.array(z.looseObject({ name: z.string(), newest: z.string().nullable(), is_newer: z.boolean() })),
      reboot_required: z.boolean(),
    })
    .nullish(),
  rotation: z.record(z.string(), z.looseObject({ accepted: z.string().nullable() })).optional(),
  disk: z.looseObject({ free_bytes: z.number().nullable() }).optional(),
});

type Status = z.output<typeof status>;

/** `hotbags status`: are customers being answered? */
export async function showStatus(operator: Operator, output: Output): Promise<number> {
  const answer = await operator.ask("status", {});
  if (output.json) writeJson(output, answer);
  else {
    const path = await operator.ask("path", {});
    // They are in the database, which is away where nothing is counted.
    const { total } = answer.messages ? await operator.ask("figures", { range: "hour" }) : { total: null };
    writeText(output, COLOURS[path.answered](plain(path.sentence), output.out));
    draw(status.parse(answer), total, output);
  }
  return answer.ok ? EXIT.ok : EXIT.no;
}

const COLOURS: Record<Answer<"path">["answered"], typeof green> = {
  yes: green,
  partly: yellow,
  no: red,
  unknown: yellow,
};

function draw(found: Status, lastHour: Total | null, output: Output): void {
  const { problems, plugin, gateway, hotbags, disk, rotation = {}, checks = [], last_backup, releases } = found;
  /** As far as this run of the sidecar knows. */
  const since = (name: string, account?: string) => {
    const at = checks.find((check) => check.name === name && check.account === account)?.since;
    return at ? ` (since ${shortTime(at)})` : "";
  };
  const accounts = Object.entries(gateway?.accounts ?? {}).map(([id, state]): [string, Cell] => [
    "WhatsApp",
    `account ${id}${since("session_connected", id)}: ${problems.some((problem) => problem.includes(state)) ? "see above" : state}`,
  ]);
  for (const problem of problems) writeText(output, `- ${plain(problem)}`);
  const facts: [string, Cell][] = [
    ["plugin", plugin ? describePlugin(plugin, since("plugin")) : null],
    ["parked there", plugin?.outbox?.parked ? `${plugin.outbox.parked}: openclaw hotbags parked list` : null],
    ["gateway", gateway ? `${describeLink(gateway.link)}${since("gateway")}` : null],
    ...accounts,
    ["Hot Bags", hotbags ? describeHotBags(hotbags) : null],
    ...countsOf(found, lastHour),
    ["disk", disk?.free_bytes ? `${shownSize(disk.free_bytes)} free` : null],
    ["backup", last_backup ? describeBackup(last_backup) : "none was made by the nightly timer"],
    ["releases", releases ? describeReleases(releases) : null],
    ...Object.entries(rotation).map(([name, { accepted }]): [string, Cell] => [name, describeRotation(name, accepted)]),
  ];
  writeFacts(output, facts);
}

/** What is in the database. */
function countsOf({ messages, commands, reports, events, outbound }: Status, lastHour: Total | null): [string, Cell][] {
  if (messages === undefined || commands === undefined) return [["messages", "not known while the database is away"]];
  const { detached, dead } = messages;
  const { paused_chats = 0, in_doubt, failed } = commands;
  return [
    ["messages", `${messages.delivered} delivered, ${messages.pending} waiting${waited(messages.oldest_wait_ms)}`],
    ["", detached > 0 ? `${detached} of these stepped aside, and are tried again by themselves` : null],
    ["dead letters", dead > 0 ? `${dead}: hotbags messages list --state dead` : 0],
    ["replies", `${commands.sent} sent, ${commands.pending} waiting${waited(commands.oldest_wait_ms)}`],
    ["last hour", lastHour ? describeTotal(lastHour) : null],
    ["paused chats", paused_chats > 0 ? `${paused_chats}: hotbags chats list` : 0],
    ["in doubt", in_doubt > 0 ? `${in_doubt}: hotbags commands list --state in_doubt` : 0],
    ["failed", failed > 0 ? `${failed}: hotbags commands list --state failed` : 0],
    ["reports", reports ? describeReports(reports) : null],
    ["events", events ? describeReports(events) : null],
    ["outbox", outbound ? describeOutbound(outbound) : null],
  ];
}

function describePlugin(
  { connected, outbox }: { connected: boolean; outbox: { messages: number } | null },
  since: string,
) {
  return `${connected ? "connected" : "not connected"}${since}${outbox ? `, ${outbox.messages} in its outbox` : ""}`;
}

function describeLink(link: string): string {
  return link === "up" ? "connected" : `not connected (${link})`;
}

function describeHotBags(hotbags: { reachable: boolean; last_success_at: string | null; last_failure: string | null }) {
  const { reachable, last_success_at, last_failure } = hotbags;
  const last = last_success_at
    ? `, took a message last at ${shortTime(last_success_at)}`
    : ", has taken no message since the sidecar started";
  return `${reachable ? "reachable" : "not reachable"}${last}${reachable || !last_failure ? "" : `; ${last_failure}`}`;
}

/** Null where nobody wants any. */
function describeReports({ on, waiting, dropped, oldest_wait_ms }: NonNullable<Status["reports"]>): string | null {
  if (on !== true && waiting + dropped === 0) return null;
  return `${waiting} waiting for Hot Bags${waited(oldest_wait_ms)}${dropped > 0 ? `, ${dropped} given up` : ""}`;
}

/** Null where nobody is asked, and nobody was. */
function describeOutbound({ mode, waiting, taken, refused, last_failure }: NonNullable<Status["outbound"]>) {
  if ((mode ?? "off") === "off" && taken === 0) return null;
  const counts = `${taken} taken, ${refused} refused${waiting === undefined ? "" : `, ${waiting} waiting`}`;
  const how = mode === null || mode === undefined ? "" : ` (BRIDGE_OUTBOUND=${mode})`;
  return `${counts}${how}${last_failure ? `; ${plain(last_failure)}` : ""}`;
}

function describeBackup({ made_at, uploaded, problem }: NonNullable<Status["last_backup"]>): string {
  const last = made_at === null ? "none is whole yet" : `the last whole one is of ${shortTime(made_at)}`;
  return `${last}${uploaded ? ", and off this machine" : ""}${problem === null ? "" : `; ${plain(problem)}`}`;
}

/** Null where there is nothing to be done. */
function describeReleases({ parts, reboot_required }: NonNullable<Status["releases"]>): string | null {
  const newer = parts.filter(({ is_newer }) => is_newer).map(({ name, newest }) => `${name} ${newest} is out`);
  const restart = reboot_required ? ["the system's updates need a restart of this machine"] : [];
  const all = [...newer, ...restart];
  return all.length === 0 ? null : `${plain(all.join("; "))}: hotbags releases`;
}

function describeRotation(name: string, accepted: string | null): string {
  if (accepted === null) return "two are valid; neither was used yet";
  return accepted === "new"
    ? `the new one is used: ${name}_PREVIOUS can be removed`
    : `${name}_PREVIOUS is used still: keep it`;
}

function waited(ms = 0): string {
  return ms > 0 ? ` (the oldest for ${duration(ms)})` : "";
}
