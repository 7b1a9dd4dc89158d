// The child process of a BareBot: the real Baileys with its own reconnecting, and nothing else.
import {
  DisconnectReason,
  downloadMediaMessage,
  isJidGroup,
  makeWASocket,
  useMultiFileAuthState,
  type WAMessage,
  type WAMessageKey,
  type WASocket,
} from "baileys";
import { readContent } from "./content/read.ts";

export interface BotHeard {
  readonly id: string;
  readonly chat: string;
  readonly participant: string | undefined;
  /** The sender's other address, if WhatsApp named it. */
  readonly alsoKnownAs: string | undefined;
  readonly text: string | undefined;
  readonly quotedId: string | undefined;
  /** The bytes of its media file in base64. */
  readonly file: string | undefined;
  /** True for a live message, false for one of the backlog. */
  readonly live: boolean;
}

/** What Baileys made of a reaction, an edit or a deletion. */
export interface BotNoticed {
  /** The message that was reacted to, edited or deleted. */
  readonly id: string;
  readonly fromMe: boolean;
  readonly what: "reaction" | "edit" | "deletion";
  /** The emoji or the new text. */
  readonly text: string;
}

export type FromChild =
  | { readonly event: "code"; readonly code: string }
  | { readonly event: "closed"; readonly status: number }
  | { readonly event: "heard"; readonly message: BotHeard }
  | { readonly event: "noticed"; readonly change: BotNoticed }
  | { readonly event: "sent"; readonly call: number; readonly id: string }
  | { readonly event: "failed"; readonly call: number; readonly error: string };

/** `connect` opens one more connection with the credentials of a folder; `send` uses the newest one. */
export type ToChild =
  | { readonly do: "connect"; readonly folder: string }
  | { readonly do: "send"; readonly call: number; readonly to: string; readonly text: string };

const url = process.env["OPENCLAW_WHATSAPP_WEB_SOCKET_URL"] ?? "";
const tell = (message: FromChild) => process.send?.(message);
const silent = { level: "silent", child: () => silent, trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const MEDIA = /^(image|video|audio|document|sticker)Message$/;
const FINAL: readonly number[] = [DisconnectReason.loggedOut, DisconnectReason.connectionReplaced];

let newest: Promise<WASocket>;

/** Opens a connection and keeps it open, until the server ends it for good. */
async function connect(folder: string): Promise<void> {
  const opened = Promise.withResolvers<WASocket>();
  newest = opened.promise;
  const { state, saveCreds } = await useMultiFileAuthState(folder);
  const socket = makeWASocket({
    auth: state,
    waWebSocketUrl: url,
    logger: silent,
    syncFullHistory: false,
    retryRequestDelayMs: 1,
  });
  socket.ev.on("creds.update", saveCreds);
  socket.ev.on("connection.update", ({ connection, lastDisconnect, qr }) => {
    if (qr !== undefined) tell({ event: "code", code: qr });
    if (connection === "open") opened.resolve(socket);
    if (connection !== "close") return;
    const error = lastDisconnect?.error as { output?: { statusCode?: number } } | undefined;
    const status = error?.output?.statusCode ?? 0;
    tell({ event: "closed", status });
    if (!FINAL.includes(status)) void connect(folder);
  });
  socket.ev.on("messages.upsert", ({ messages, type }) => {
    // What this bot itself sent comes as `append`, what its owner wrote on the phone as `notify`.
    for (const message of messages)
      if (!message.key.fromMe || type === "notify") void report(message, type === "notify");
  });
  socket.ev.on("messages.reaction", (reactions) => {
    for (const { key, reaction } of reactions) notice(key, "reaction", reaction.text ?? "");
  });
  socket.ev.on("messages.update", (changes) => {
    for (const { key, update } of changes) {
      if (update.message === null) notice(key, "deletion", "");
      else if (update.message) notice(key, "edit", readContent(update.message).text ?? "");
    }
  });
}

function notice({ id, fromMe }: WAMessageKey, what: BotNoticed["what"], text: string): void {
  tell({ event: "noticed", change: { id: id ?? "", fromMe: fromMe === true, what, text } });
}

async function report(heard: WAMessage, live: boolean): Promise<void> {
  const { key, message } = heard;
  if (!message || !key.id) return;
  const { kind, text, quotedId } = readContent(message);
  const file = MEDIA.test(kind) ? (await downloadMediaMessage(heard, "buffer", {})).toString("base64") : undefined;
  const participant = key.participant ?? undefined;
  const alsoKnownAs = key.remoteJidAlt ?? key.participantAlt ?? undefined;
  const chat = key.remoteJid ?? "";
  tell({ event: "heard", message: { id: key.id, chat, participant, alsoKnownAs, text, quotedId, file, live } });
}

async function send(call: number, to: string, text: string): Promise<void> {
  try {
    const socket = await newest;
    const sent = await socket.sendMessage(isJidGroup(to) ? to : `${to.slice(1)}@s.whatsapp.net`, { text });
    tell({ event: "sent", call, id: sent?.key.id ?? "" });
  } catch (error) {
    tell({ event: "failed", call, error: String(error) });
  }
}

process.on("message", (order: ToChild) => {
  void (order.do === "connect" ? connect(order.folder) : send(order.call, order.to, order.text));
});
process.on("disconnect", () => process.exit());
