import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { MediaItem } from "@hotbags/shared";
import type { Outbox } from "../outbox/outbox.ts";
import { sha256Of } from "./files.ts";
import { message } from "./messages.ts";

/** Puts a message with these files, copied and ready, as the intake leaves it. Its place. */
export function putWithFiles(outbox: Outbox, { id, chat }: { id: string; chat: string }, files: Buffer[]): number {
  const copies = files.map((bytes, n) => {
    mkdirSync(outbox.media.path, { recursive: true });
    const part = join(outbox.media.path, `${id}-${n}.part`);
    writeFileSync(part, bytes);
    return { sha256: sha256Of(bytes), sizeBytes: bytes.length, part };
  });
  const media = copies.map(({ sha256, sizeBytes }): MediaItem => {
    return { type: "image", mime_type: "image/jpeg", file_name: null, size_bytes: sizeBytes, sha256 };
  });
  const whole = message({ message_id: id, chat_id: chat, from: chat, media });
  const seq = outbox.put({ ok: true, message: whole }, Date.now(), files.length > 0)?.seq ?? 0;
  const row = outbox.get(seq);
  if (files.length > 0 && row !== undefined) outbox.complete(row, whole, copies);
  for (const { part } of copies) rmSync(part);
  return seq;
}

/** Puts texts into an outbox that is open already, all at once: each by itself would take as long as its sync to the disk. */
export function fillOutbox(file: string, texts: readonly { id: string; chat: string }[]): void {
  const db = new DatabaseSync(file);
  const insert = db.prepare(
    "INSERT INTO waiting (account, chat, message_id, captured_at, held, bytes, body) VALUES ('default', ?, ?, 1, 0, ?, ?)",
  );
  db.exec("BEGIN IMMEDIATE");
  for (const { id, chat } of texts) {
    const body = JSON.stringify(message({ message_id: id, chat_id: chat, from: chat }));
    insert.run(chat, id, Buffer.byteLength(body), body);
  }
  db.exec("COMMIT");
  db.close();
}
