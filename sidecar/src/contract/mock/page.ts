import type { IncomingMessage, ServerResponse } from "node:http";
import { isLoopback } from "@hotbags/shared";
import type { Attempt, Mock } from "./mock.ts";

/** Nothing on the page is a program, or comes from elsewhere: a customer's words can't make it one. */
const HEADERS = {
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  "x-content-type-options": "nosniff",
  "cache-control": "no-store",
} as const;

/** Longest text of a message on the page, characters. */
const SHOWN_CHARACTERS = 500;

const STYLE = `body{font:14px/1.5 system-ui,sans-serif;margin:2em;color:#222}table{border-collapse:collapse;width:100%}
td,th{text-align:left;vertical-align:top;padding:.4em .8em;border-bottom:1px solid #ddd}.bad{color:#b00020}
pre{white-space:pre-wrap;word-break:break-word;margin:0}`;

/**
 * Answers what is no message: `/` is a page that shows what came, `/requests.json` the same for programs. Returns
 * whether it did. Only to a browser that was sent to this machine by its own name: another site could otherwise read it
 * through a name of its own that leads here (DNS rebinding).
 */
export function servePage(mock: Mock, request: IncomingMessage, response: ServerResponse): boolean {
  if (request.method !== "GET" || (request.url !== "/" && request.url !== "/requests.json")) return false;
  if (!isLoopback(URL.parse(`http://${request.headers.host}`)?.hostname ?? "")) {
    response.writeHead(403, HEADERS).end();
    return true;
  }
  if (request.url === "/") response.writeHead(200, { ...HEADERS, "content-type": "text/html; charset=utf-8" });
  else response.writeHead(200, { ...HEADERS, "content-type": "application/json" });
  const rows = mock.requests.map((attempt) => rowOf(mock, attempt));
  response.end(request.url === "/" ? page(rows, mock) : JSON.stringify(rows));
  return true;
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
  return `<!doctype html><html lang="en"><head>${head}</head><body><h1>What came</h1>${rows.length === 0 ? none : table}${told}</body></html>`;
}

function text(value: string): string {
  return value.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
