import type { Content } from "./content.ts";
import { type CaptionedFileOptions, encryptFile } from "./file.ts";

export interface DocumentOptions extends CaptionedFileOptions {
  readonly fileName: string;
}

/** A file with a name, with or without a caption. */
export function document(bytes: Uint8Array, { fileName, ...options }: DocumentOptions): Content {
  const { fields, upload } = encryptFile(bytes, "document", options.mimetype ?? "application/pdf", options);
  const documentMessage = { ...fields, fileName, title: fileName };
  return { message: { documentMessage }, type: "media", mediaType: "document", text: options.caption ?? "", upload };
}
