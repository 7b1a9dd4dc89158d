import { MAX_MEDIA_ITEMS, type MediaItem } from "@hotbags/shared";

/** OpenClaw's description of one attachment, as far as it is used here. */
export type MediaFact = {
  path?: unknown;
  contentType?: unknown;
  kind?: unknown;
  fileName?: unknown;
  sizeBytes?: unknown;
};

const TYPES = new Set<MediaItem["type"]>(["image", "video", "audio", "document", "sticker"]);

/**
 * The attachments of one message as Hot Bags is told of them, at most `MAX_MEDIA_ITEMS`. Anything but a list gives an
 * empty one.
 */
export function describeMedia(facts: unknown): MediaItem[] {
  if (!Array.isArray(facts)) return [];
  return facts.slice(0, MAX_MEDIA_ITEMS).map((fact: MediaFact) => describe(fact ?? {}));
}

function describe(fact: MediaFact): MediaItem {
  const mime = shortText(fact.contentType, 256);
  return {
    type: typeOf(fact.kind, mime),
    mime_type: mime,
    file_name: shortText(fact.fileName, 1024),
    size_bytes: Number.isSafeInteger(fact.sizeBytes) && Number(fact.sizeBytes) >= 0 ? Number(fact.sizeBytes) : null,
    sha256: null,
    omitted: "not forwarded",
  };
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
