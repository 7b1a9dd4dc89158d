import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { ConnectionOptions } from "node:tls";
import { codeOf } from "@hotbags/shared";
import pg from "pg";

/** What of an address is about encryption, by libpq's names for it. node-postgres reads the rest. */
const MODE = "sslmode";
const FILES = { sslrootcert: "ca", sslcert: "cert", sslkey: "key" } as const;
type File = keyof typeof FILES;

/** libpq's word for the authorities that are known anyway: here those that Node has. */
const KNOWN_ANYWAY = "system";

/** An address as node-postgres is to be given it. */
export interface Address {
  /** Without what is read here. */
  url: string;
  /** A connection of node-postgres that is encrypted as the address says. */
  Client: typeof pg.Client;
}

/**
 * Reads what an address says of encryption. Each mode but `no-verify` and `disable` looks at the certificate and at the
 * name in it: node-postgres does so as well, but says that its next major release does it for `verify-full` alone.
 */
export function readAddress(url: string): Address {
  const [place = "", query = ""] = url.split(/\?(.*)/s);
  const params = new URLSearchParams(query);
  const mode = params.get(MODE);
  const files = (Object.keys(FILES) as File[])
    .filter((name) => params.has(name))
    .map((name) => [name, params.get(name) ?? ""] as const);
  // Then it is left to `ssl`, which is node-postgres' own name for it, and to the environment.
  if (mode === null && files.length === 0) return { url, Client: pg.Client };
  for (const name of [MODE, "ssl", ...Object.keys(FILES)]) params.delete(name);
  return {
    url: params.size === 0 ? place : `${place}?${params}`,
    Client: clientWith(mode === "disable" ? () => false : encryptionOf(mode, files)),
  };
}

/**
 * With what a new connection is to be encrypted. The files are read each time, so that another certificate needs no
 * restart; where one can't be read any more, what was read last holds. @throws Error with what to do.
 */
function encryptionOf(mode: string | null, files: readonly (readonly [File, string])[]): () => ConnectionOptions {
  let last: ConnectionOptions | undefined;
  return () => {
    try {
      const read: ConnectionOptions = mode === "no-verify" ? { rejectUnauthorized: false } : {};
      for (const [name, path] of files)
        if (path !== KNOWN_ANYWAY || name !== "sslrootcert") read[FILES[name]] = contentOf(name, path);
      last = read;
    } catch (error) {
      if (last === undefined) throw error;
    }
    return last;
  };
}

function clientWith(encryption: () => ConnectionOptions | false): typeof pg.Client {
  return class extends pg.Client {
    constructor(config: pg.ClientConfig) {
      super({ ...config, ssl: encryption() });
    }
  } as typeof pg.Client;
}

/** Of a file in PEM. @throws Error that says what is wrong with it, which can't be told from the handshake that fails. */
function contentOf(name: File, path: string): string {
  const what = `${name}=${path} of the address`;
  const content = readAs(what, path);
  const kind = name === "sslkey" ? "private key" : "certificate";
  const blocks = content.match(name === "sslkey" ? KEY : CERTIFICATE);
  if (blocks === null) throw new Error(`${what} has no ${kind} in it: it has to be a file in PEM`);
  try {
    // Node itself passes over a certificate that is none.
    for (const block of blocks) name === "sslkey" ? createPrivateKey(block) : new X509Certificate(block);
  } catch (error) {
    throw new Error(`${what} has a ${kind} in it that can't be read (${codeOf(error)}): get it anew`);
  }
  return content;
}

const KEY = /-----BEGIN ([A-Z]+ )?PRIVATE KEY-----.*?-----END[^\n]*/gs;
const CERTIFICATE = /-----BEGIN ([A-Z0-9]+ )?CERTIFICATE-----.*?-----END[^\n]*/gs;

function readAs(what: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`${what} can't be read (${codeOf(error)}): put the file there, for this user to read`);
  }
}
