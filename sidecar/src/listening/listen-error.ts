import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "@hotbags/shared";
import type { ListenAddress } from "./listen-address.ts";
import { NotASocketError, whyPathTooLong } from "./unix-socket.ts";

/** The address can't be listened on; the message says what to do. */
export class ListenError extends Error {
  override readonly name = "ListenError";
  /** It can pass by itself, as a busy port does: to be tried again. Otherwise only a human can change it. */
  readonly passes: boolean;

  constructor(message: string, { passes }: { passes: boolean }) {
    super(message);
    this.passes = passes;
  }
}

/** What is wrong with an address before it is tried; null when nothing is. */
export function pathTooLong(address: ListenAddress): ListenError | null {
  const why = "path" in address ? whyPathTooLong(address.path) : null;
  return why === null || !("path" in address) ? null : refuse(address.path, why);
}

/** Why `listen`, or what has to be done around it, failed. */
/** `setting`: where the address is from. */
export function listenError(address: ListenAddress, error: unknown, setting?: string): ListenError {
  const code = codeOf(error);
  if ("path" in address && error instanceof NotASocketError) return refuse(address.path, error.message);
  if ("path" in address)
    return refuse(address.path, aboutPath(address.path, code) ?? String(error), canPass(address, code));
  const { host, port } = address;
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return refuse(where, aboutPort(port, code) ?? String(error), canPass(address, code), setting);
}

function refuse(where: string, why: string, passes = false, setting = "BRIDGE_LISTEN"): ListenError {
  const message = `can't listen on ${where}: ${why}. Set that right, or set ${setting} to another address.`;
  return new ListenError(message, { passes });
}

/** A folder that is not there may be made by another unit of the machine; one that is there stays as it is. */
function canPass(address: ListenAddress, code: string): boolean {
  if ("path" in address && !existsSync(dirname(address.path))) return code !== "ENOTDIR";
  return !["EACCES", "EPERM", "ENOTDIR", "EROFS", "EAFNOSUPPORT"].includes(code);
}

function aboutPort(port: number, code: string): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return "something listens there already (EADDRINUSE), perhaps another sidecar";
    case "EACCES":
      return `this user may not open port ${port} (EACCES): those below 1024 need a privilege`;
    case "EADDRNOTAVAIL":
    case "EAFNOSUPPORT":
      return `this machine has no such address (${code}); is IPv6 switched off?`;
    default:
      return undefined;
  }
}

function aboutPath(path: string, code: string): string | undefined {
  const folder = dirname(path);
  switch (code) {
    case "EADDRINUSE":
      return "something listens there already (EADDRINUSE), perhaps another sidecar";
    // Node says EACCES of a folder that is not there, too.
    case "EACCES":
    case "EPERM":
    case "ENOENT":
      return existsSync(folder)
        ? `this user may not write in ${folder} (${code})`
        : `the folder ${folder} does not exist, or this user may not look into it`;
    case "ENOTDIR":
      return `${folder} is no folder (ENOTDIR)`;
    case "EROFS":
      return `${folder} is on a disk that is mounted read-only (EROFS)`;
    default:
      return undefined;
  }
}
