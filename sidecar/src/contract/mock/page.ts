import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isLoopback } from "@hotbags/shared";
import type { Attempt, Mock } from "./mock.ts";

/** Nothing on the page is a program, or comes from elsewhere: a customer's words can't make it one. */
const HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
} as const;

/** Where a text can be put into the outbox: a page that does not load itself anew while somebody writes. */
const WRITE_PATH = "/write";

/** Most that is read of what its form says, bytes. */
const MAX_FORM_BYTES = 256 * 1024;

/** Longest text of a message on the page, characters. */
const SHOWN_CHARACTERS = 500;

const STYLE = `body{font:14px/1.5 system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.4em .8em;border-bottom:1px solid #ddd}.bad{color:#b00020}
pre{white-space:pre-wrap;word-break:break-word;margin:0}`;

/**
 * Answers what is no message: `/` is a page that shows what came, `/requests.json` the same for programs, and `/write`
 * has a form that puts a text into the outbox. Returns
 * whether it did. Only to a browser that was sent to this machine by its own name: another site could otherwise read it
 * through a name of its own that leads here (DNS rebinding).
 */
export function servePage(mock: Mock, request: IncomingMessage, response: ServerResponse): boolean {
  const isPut = request.method === "POST" && request.url === WRITE_PATH;
  const isShown = request.method === "GET" && ["/", "/requests.json", WRITE_PATH].includes(request.url ?? "");
  if (!isPut && !isShown) return false;
  if (!isLoopback(URL.parse(`http://${request.headers.host}`)?.hostname ?? "")) {
    response.writeHead(403, HEADERS).end();
    return true;
  }
  if (isPut) {
    put(mock, request, response).catch(() => response.destroy());
    return true;
  }
  if (request.url !== "/requests.json")
    response.writeHead(200, { ...HEADERS, "content-type": "text/html; charset=utf-8" });
  else response.writeHead(200, { ...HEADERS, "content-type": "application/json" });
  const rows = mock.requests.map((attempt) => rowOf(mock, attempt));
  const shown =
    { "/": () => page(rows, mock), [WRITE_PATH]: () => WRITE }[request.url ?? ""] ?? (() => JSON.stringify(rows));
  response.end(shown());
  return true;
}

/** Puts a text into the outbox, as the form says; from no other page. */
async function put({ outbox }: Mock, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.headers.origin !== `http://${request.headers.host}`) return void response.writeHead(403, HEADERS).end();
  let body = "";
  for await (const chunk of request) {
    body += String(chunk);
    if (body.length > MAX_FORM_BYTES) return void response.writeHead(413, HEADERS).end();
  }
  const form = new URLSearchParams(body);
  const field = (name: string) => form.get(name)?.trim() ?? "";
  outbox.put({
    ...{ command_id: `put-${randomUUID()}`, type: "send_text", to: field("to"), text: field("text") },
    transport_session_id: `whatsapp:${field("account")}`,
  });
  response.writeHead(303, { ...HEADERS, location: "/" }).end();
}

function outboxOf({ outbox }: Mock): string {
  const link = `<p><a href="${WRITE_PATH}">Write to somebody</a>, by the outbox</p>`;
  if (outbox.commands.length === 0) return link;
  const lines = outbox.commands
    .toReversed()
    .map((command) => `<tr><td><pre>${text(JSON.stringify(command))}</pre></td></tr>`);
  return `<h1>In the outbox</h1>${link}<table>${lines.join("")}</table>`;
}

function rowOf({ issued }: Mock, { at, key, status, duplicate, fault, body, violations }: Attempt) {
  return {
    at: new Date(at).toISOString(),
    message_id: key ?? null,
    status: status ?? null,
    duplicate,
    fault: fault === undefined ? null : describeFault(fault),
    violations,
    chat_id: body?.chat_id ?? null,
    text: body?.text ?? null,
    media: body?.media.map(({ type, mime_type, size_bytes }) => ({ type, mime_type, size_bytes })) ?? [],
    commands: issued.filter((one) => one.key === key).map(({ command }) => command),
  };
}

function describeFault(fault: NonNullable<Attempt["fault"]>): string {
  return typeof fault === "string" ? fault : JSON.stringify(fault).slice(0, SHOWN_CHARACTERS);
}

function page(rows: ReturnType<typeof rowOf>[], mock: Mock): string {
  const lines = rows.toReversed().map((row) => {
    const result = `${row.status ?? "no answer"}${row.duplicate ? ", a key that came before" : ""}`;
    const trouble = [row.fault === null ? [] : `fault: ${row.fault}`, row.violations].flat();
    const media = row.media.map(({ type, size_bytes }) => `[${type}, ${size_bytes ?? "?"} bytes]`);
    const cells = [
      `${row.at}<br>${text(row.message_id ?? "no key")}`,
      `${text(row.chat_id ?? "")}<pre>${text([row.text ?? "", ...media].join(" ").slice(0, SHOWN_CHARACTERS))}</pre>`,
      `${text(result)}<br>${trouble.map((one) => `<span class="bad">${text(one)}</span>`).join("<br>")}`,
      `<pre>${text(
        row.commands
          .map((command) => JSON.stringify(command))
          .join("\n")
          .slice(0, 4 * SHOWN_CHARACTERS),
      )}</pre>`,
    ];
    return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
  });
  const titles = ["when, message_id", "chat, text", "answered", "commands"].map((title) => `<th>${title}</th>`);
  const reports = mock.reports.taken.toReversed().map(({ timestamp, command_id, state, outcome, reason }) => {
    const cells = [timestamp, command_id, [state, outcome].filter(Boolean).join(": "), reason ?? ""];
    return `<tr>${cells.map((cell) => `<td>${text(cell)}</td>`).join("")}</tr>`;
  });
  const told =
    reports.length === 0
      ? ""
      : `<h1>What became of commands</h1><table><tr><th>when</th><th>command_id</th><th>state</th><th>reason</th></tr>${reports.join("")}</table>`;
  const table = `<table><tr>${titles.join("")}</tr>${lines.join("")}</table>`;
  const head = `<meta charset="utf-8"><meta http-equiv="refresh" content="2"><title>Hot Bags' stand-in</title><style>${STYLE}</style>`;
  const none = "<p>Nothing has come yet.</p>";
  return `<!doctype html><html lang="en"><head>${head}</head><body><h1>What came</h1>${rows.length === 0 ? none : table}${told}${outboxOf(mock)}</body></html>`;
}

function text(value: string): string {
  return value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const WRITE = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Hot Bags' stand-in: write</title><style>${STYLE}</style></head><body>
<h1>Write to somebody</h1><form method="post" action="${WRITE_PATH}">
<p><label>account <input name="account" value="default" required></label></p>
<p><label>to <input name="to" placeholder="+15550001001" required></label></p>
<p><label>text <input name="text" size="60" required></label></p>
<p><button>Put it into the outbox</button></p></form></body></html>`;
