import { MAX_MEDIA_ITEMS, type MediaItem, OMITTED } from "@hotbags/shared";

/** OpenClaw's description of one attachment, as far as it is used here. */
export type AttachmentFact = {
  path?: unknown;
  contentType?: unknown;
  kind?: unknown;
  fileName?: unknown;
};

/** The attachments of a message, not copied yet: each says that it could not be read, until it was. */
export type Described = {
  media: MediaItem[];
  /** Where OpenClaw keeps each of them, null for what has no file. Undefined if none has one. */
  sources: (string | null)[] | undefined;
};

const TYPES = new Set<MediaItem["type"]>(["image", "video", "audio", "document", "sticker"]);
const MAX_PATH_LENGTH = 4_096;
/** OpenClaw's name for a file it saved: `<the sender's name for it, made harmless>---<uuid><extension>`. */
const SAVED_NAME = /([^/\\]+)---[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.[^./\\]+)?$/i;

/**
 * The attachments of one message as Hot Bags is told of them, at most `MAX_MEDIA_ITEMS`. Anything but a list gives an
 * empty one. Throws only what an object in the list throws that is looked into.
 */
export function describeAttachments(facts: unknown): Described {
  if (!Array.isArray(facts)) return { media: [], sources: undefined };
  const few: (AttachmentFact | null)[] = facts.slice(0, MAX_MEDIA_ITEMS);
  const sources = few.map((fact) => sourceOf(fact?.path));
  return {
    media: few.map((fact, n) => describe(fact ?? {}, sources[n] ?? null)),
    sources: sources.some((source) => source !== null) ? sources : undefined,
  };
}

function describe(fact: AttachmentFact, source: string | null): MediaItem {
  const contentType = shortText(fact.contentType, 256);
  // OpenClaw names the kind of what it has no MIME type for, such as an animated sticker: "sticker".
  const mime = contentType?.includes("/") ? contentType : null;
  return {
    type: typeOf(fact.kind, contentType),
    mime_type: mime,
    file_name: shortText(fact.fileName, 1024) ?? savedAs(source),
    size_bytes: null,
    sha256: null,
    omitted: OMITTED.unreadable,
  };
}

function sourceOf(path: unknown): string | null {
  return typeof path === "string" && path.length <= MAX_PATH_LENGTH && path.startsWith("/") ? path : null;
}

/** OpenClaw has no other place for a document's name. */
function savedAs(source: string | null): string | null {
  const [, name, extension = ""] = SAVED_NAME.exec(source ?? "") ?? [];
  return shortText(name === undefined ? undefined : name + extension, 1024);
}

function typeOf(kind: unknown, mime: string | null): MediaItem["type"] {
  if (TYPES.has(kind as MediaItem["type"])) return kind as MediaItem["type"];
  const family = mime?.split("/", 1)[0] as MediaItem["type"] | undefined;
  if (family !== undefined && TYPES.has(family)) return family;
  return mime === null ? "unknown" : "document";
}

function shortText(value: unknown, max: number): string | null {
  return typeof value === "string" && value !== "" ? value.slice(0, max) : null;
}
