import type { HotBagsEvent } from "../hotbags/index.ts";
import type { Shop } from "../shop/shop.ts";
import type { LogLine } from "../shop/sidecar-process.ts";
import type { WhatsAppEvent } from "../whatsapp/index.ts";

/** One thing that happened to a message, ms since the epoch. */
export interface Moment {
  atMs: number;
  where: string;
  what: string;
}

/** Records what happens to one message, from all four parts' own accounts, until `stop`. */
export function follow(shop: Shop, messageId: () => string | undefined) {
  const moments: (Moment & { id: string | undefined })[] = [];
  const note = (id: string | undefined, atMs: number, where: string, what: string) =>
    void moments.push({ id, atMs, where, what });

  const onWhatsApp = (event: WhatsAppEvent) => {
    if (event.type === "accepted")
      note(event.sent.id, event.atMs, "phone", `${event.sent.author} writes ${quote(event.sent.text)}`);
    if (event.type === "delivered") note(event.sent.id, event.atMs, "WhatsApp", "hands it to OpenClaw");
    if (event.type === "heard")
      note(undefined, event.atMs, "phone", `${event.message.chat} gets ${quote(event.message.text ?? "")}`);
  };
  const onHotBags = (event: HotBagsEvent) => {
    if (event.type === "attempt") note(event.attempt.key, event.at, "Hot Bags", "gets the POST");
    if (event.type !== "answered") return;
    const { key, status, fault } = event.attempt;
    const answer = status === undefined ? "drops the connection" : `answers ${status}`;
    note(key, event.at, "Hot Bags", fault === undefined ? answer : `${answer} (as told by this demo)`);
  };
  const onLine = (line: LogLine) => {
    const id = typeof line["message_id"] === "string" ? line["message_id"] : undefined;
    const said =
      SIDECAR_WORDS[line.msg ?? ""] ?? (line.level === "warn" && id !== undefined ? retryWords(line) : undefined);
    if (said !== undefined) note(id, Date.parse(String(line["time"])), "sidecar", said);
  };
  const onGatewayLine = (line: string) => {
    const captured = /message_id=(\S+) captured$/.exec(line);
    if (captured)
      note(captured[1], Date.parse(line.slice(0, line.indexOf(" "))), "plugin", "has it in its outbox, on disk");
  };
  const stops = [
    shop.gateway.onLine(onGatewayLine),
    shop.whatsapp.onEvent(onWhatsApp),
    shop.hotbags.onEvent(onHotBags),
    shop.sidecar.onLine(onLine),
  ];
  return {
    stop(): Moment[] {
      for (const stop of stops) stop();
      const wanted = messageId();
      return moments.filter(({ id }) => id === undefined || id === wanted).sort((a, b) => a.atMs - b.atMs);
    },
  };
}

const SIDECAR_WORDS: Record<string, string> = {
  "message accepted": "has it from the plugin, on disk",
  "delivered to Hot Bags": "has the commands, on disk",
  "reply sent": "knows that OpenClaw sent the reply",
};

function retryWords(line: LogLine): string {
  const wait = typeof line["wait_ms"] === "number" ? `; tries again in ${line["wait_ms"]} ms` : "";
  return `${line.msg}${wait}`;
}

/** The moments as lines: when, how long after the one before, where, what. */
export function drawTimeline(moments: Moment[]): string {
  const start = moments[0]?.atMs ?? 0;
  let before = start;
  const lines = moments.map(({ atMs, where, what }) => {
    const since = `${Math.round(atMs - start)} ms`;
    const step = `+${Math.round(atMs - before)}`;
    before = atMs;
    return `  ${since.padStart(8)} ${step.padStart(6)}  ${where.padEnd(9)} ${what}`;
  });
  return lines.join("\n");
}

/** A text as it can be shown on a terminal: quoted, control characters escaped, not too long. */
function quote(text: string): string {
  const short = text.length > 60 ? `${text.slice(0, 59)}…` : text;
  // What a customer writes must not steer the terminal; JSON escapes it. The quotes are ours.
  return `“${JSON.stringify(short).slice(1, -1).replaceAll('\\"', '"')}”`;
}
