import { DEFAULT_LOW_DISK_BYTES, isLoopback, MAX_FILE_BYTES } from "@hotbags/shared";
import * as z from "zod";

/** Where the sidecar listens unless the operator says otherwise (its `BRIDGE_LISTEN`). */
const DEFAULT_SIDECAR_URL = "ws://127.0.0.1:18790";

/** The largest file that is forwarded unless the operator says otherwise, bytes. */
const DEFAULT_MAX_FILE_BYTES = 32 * 1024 * 1024;

/** What the link needs. `url` is in the form that `ws` takes, so a Unix socket reads `ws+unix:/path:/`. */
export type LinkConfig = { url: string; token: string };

export type ParsedConfig = { ok: true; config: LinkConfig } | { ok: false; reason: string };

const sidecarUrl = z
  .string("must be text")
  .default(DEFAULT_SIDECAR_URL)
  .transform((text, context) => {
    const url = dialable(text);
    if (url !== undefined) return url;
    context.addIssue({
      code: "custom",
      message: `must be ws:// on this machine (${DEFAULT_SIDECAR_URL}) or unix:/path: the link carries customers' messages unencrypted`,
    });
    return z.NEVER;
  });

/** One header line: a line break or a space in it would be refused by the HTTP client with a riddle. */
const token = z
  .string("is missing: put the sidecar's BRIDGE_TOKEN here, as text or as a SecretRef that resolves")
  .regex(
    /^[\x21-\x7e]{1,512}$/,
    "must be 1 to 512 visible ASCII characters without a space, the same as the sidecar's BRIDGE_TOKEN",
  );

const fileLimit = z
  .int(`must be a whole number of bytes, 0 to ${MAX_FILE_BYTES}`)
  .min(0, "must be 0 (no files at all) or more bytes")
  .max(MAX_FILE_BYTES, `must be at most ${MAX_FILE_BYTES} bytes: the sidecar takes no larger file`)
  .default(DEFAULT_MAX_FILE_BYTES);

const lowDisk = z
  .int("must be a whole number of bytes, 0 or more")
  .min(0, "must be 0 (never) or more bytes")
  .default(DEFAULT_LOW_DISK_BYTES);

const pluginConfig = z.strictObject(
  { sidecarUrl, token, maxFileBytes: fileLimit, lowDiskBytes: lowDisk },
  "must be an object with sidecarUrl and token",
);

/**
 * Reads `plugins.entries.hotbags.config`. Never throws and never repeats a value: the reason names each field by its
 * full path and says what to put there.
 */
export function parseConfig(value: unknown): ParsedConfig {
  const parsed = pluginConfig.safeParse(value ?? {});
  if (parsed.success) return { ok: true, config: { url: parsed.data.sidecarUrl, token: parsed.data.token } };
  const problems = parsed.error.issues.flatMap((issue) => {
    if (issue.code !== "unrecognized_keys") return `${fieldAt(issue.path)} ${issue.message}`;
    return issue.keys.map(
      (key) => `${fieldAt([key])} is no setting: there are sidecarUrl, token, maxFileBytes and lowDiskBytes`,
    );
  });
  return { ok: false, reason: problems.join("; ") };
}

/**
 * The largest file to forward, in bytes, whatever else is wrong with the configuration: messages are captured all the
 * same. Never throws; the default stands in for what is no such number, which `parseConfig` complains of.
 */
export function maxFileBytes(value: unknown): number {
  const parsed = z.looseObject({ maxFileBytes: fileLimit.catch(DEFAULT_MAX_FILE_BYTES) }).safeParse(value ?? {});
  return parsed.success ? parsed.data.maxFileBytes : DEFAULT_MAX_FILE_BYTES;
}

/** Below how many free bytes the disk is said to fill up; in the same way. */
export function lowDiskBytes(value: unknown): number {
  const parsed = z.looseObject({ lowDiskBytes: lowDisk.catch(DEFAULT_LOW_DISK_BYTES) }).safeParse(value ?? {});
  return parsed.success ? parsed.data.lowDiskBytes : DEFAULT_LOW_DISK_BYTES;
}

function fieldAt(path: readonly PropertyKey[]): string {
  return ["plugins.entries.hotbags.config", ...path].map(String).join(".");
}

function dialable(text: string): string | undefined {
  if (text.startsWith("unix:/"))
    return /^unix:\/[^:?#]+$/.test(text) ? `ws+unix:${text.slice("unix:".length)}:/` : undefined;
  const url = URL.parse(text);
  if (url === null || url.protocol !== "ws:" || url.username !== "" || url.password !== "") return undefined;
  return isLoopback(url.hostname) ? url.href : undefined;
}
