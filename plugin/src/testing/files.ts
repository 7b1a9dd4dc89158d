import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export function sha256Of(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A file as OpenClaw saves it, under a state folder; the description that it gives the hooks. */
export function savedFile(stateDir: string, name: string, bytes: Uint8Array) {
  const folder = join(stateDir, "media", "inbound");
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return { path, url: path, contentType: "image/jpeg", kind: "image" };
}
