import {
  type InboundMessage,
  MAX_BODY_BYTES,
  type MediaItem,
  OMITTED,
  type OutgoingItem,
  renderBody,
} from "@hotbags/shared";
import type { Files } from "./files.ts";

/** A file whose bytes go along with its message. */
export interface InlinedFile {
  /** Its place in the message's `media`, from 0. */
  position: number;
  sha256: string;
  size_bytes: number;
  /** The byte of the stored request at which its base64 is put in. */
  place: number;
}

/** A file of a message; `place` as above, or null when it is only described. */
export type KeptFile = Omit<InlinedFile, "place"> & { place: number | null };

/** A message as it is written down: the request without the files' bytes, and which files it has. */
export interface LaidOut {
  request: string;
  files: KeptFile[];
}

/** Bytes of the base64 of so many bytes. */
export const base64Length = (bytes: number) => 4 * Math.ceil(bytes / 3);

/** The files that are here. */
type FilesHere = Pick<Files, "sizeOf">;

/** Whether a file that the message counts on is not here. Throws when the disk can't be read. */
export function lacksFile({ media }: InboundMessage, here: FilesHere): boolean {
  return media.some((item) => isKept(item) && here.sizeOf(item.sha256) === undefined);
}

/**
 * Decides, once for all attempts, which files go along: in the order of the items, whatever still fits into the setting and into what Hot Bags can take.
 * Undefined when a file is not here. Throws when the disk can't be read.
 */
export function layOut(message: InboundMessage, here: FilesHere, inlineBytes: number): LaidOut | undefined {
  const files: KeptFile[] = [];
  const described: OutgoingItem[] = [...message.media];
  for (const [position, item] of message.media.entries()) {
    if (!isKept(item)) continue;
    const size_bytes = here.sizeOf(item.sha256);
    if (size_bytes === undefined) return undefined;
    files.push({ position, sha256: item.sha256, size_bytes, place: null });
    described[position] = { ...item, size_bytes, omitted: OMITTED.tooLargeToInline };
  }
  const plain = renderBody(message, described);
  if (files.length === 0) return { request: plain.request, files };
  let bodyBytes = Buffer.byteLength(plain.request);
  let inlinedBytes = 0;
  const inlined: KeptFile[] = [];
  for (const file of files) {
    const body = bodyBytes + base64Length(file.size_bytes);
    const total = inlinedBytes + file.size_bytes;
    if (inlineBytes === 0 || total > inlineBytes || body > MAX_BODY_BYTES) continue;
    bodyBytes = body;
    inlinedBytes = total;
    inlined.push(file);
    const { omitted: _, ...item } = described[file.position] as MediaItem;
    described[file.position] = { ...item, data_base64: "" };
  }
  const { request, places } = renderBody(message, described);
  for (const [n, file] of inlined.entries()) file.place = places[n] ?? null;
  return { request, files };
}

function isKept(item: MediaItem): item is MediaItem & { sha256: string } {
  return item.omitted === undefined && item.sha256 !== null;
}
