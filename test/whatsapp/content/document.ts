import type { Content } from "./content.ts";
import { type CaptionedFileOptions, encryptFile } from "./file.ts";

export interface DocumentOptions extends CaptionedFileOptions {
  readonly fileName: string;
}

/** A file with a name; with a caption it comes wrapped once more. */
export function document(bytes: Uint8Array, { fileName, ...options }: DocumentOptions): Content {
  const { fields, upload } = encryptFile(bytes, "document", options.mimetype ?? "application/pdf", options);
  const bare = { documentMessage: { ...fields, fileName, title: fileName } };
  const message = options.caption === undefined ? bare : { documentWithCaptionMessage: { message: bare } };
  return { message, type: "media", mediaType: "document", text: options.caption ?? "", upload };
}
