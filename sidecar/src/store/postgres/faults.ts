import pg from "pg";
import { StoreAwayError, StoreUnusableError } from "../errors.ts";

/** What PostgreSQL says itself; all else that a query throws is of the way to it. */
export const { DatabaseError } = pg;

/** The way to the server is broken: there is none, it was cut, or nothing came back in time. */
export class DisconnectedError extends StoreAwayError {
  override readonly name = "DisconnectedError";
}

/** The way broke while a COMMIT was out: it is not known whether all of the transaction is written, or nothing. */
export class UncertainCommitError extends Error {
  override readonly name = "UncertainCommitError";

  constructor(cause: unknown) {
    super("the way to the server broke while a commit was out", { cause });
  }
}

/** Two transactions were in each other's way, and the same work goes well the next time. */
export class CollisionError extends Error {
  override readonly name = "CollisionError";
}

const UNKNOWN_AUTHORITY =
  "nobody who is trusted here has signed the server's certificate: have sslrootcert in the address name the file of the authority that has. If it does, somebody else may be answering there";

/** What helps, by PostgreSQL's code or the beginning of it, the longest first; or by the code of the system. */
const REMEDIES: readonly (readonly [code: string, remedy: string])[] = [
  [
    "25006",
    "this server takes no writes, as a replica or a primary that was replaced: name the primary in the address",
  ],
  ["53100", "the server's disk is full: make room there"],
  ["53200", "the server has no memory left"],
  ["53300", "the server has no connection left: put a transaction pooler in front of it, or raise its max_connections"],
  ["57P03", "the server is starting, or shutting down"],
  ["57P01", "the server was shut down, or the connection was ended there"],
  [
    "28000",
    "the server refuses this user, or this way to it: look at the name in the address, at sslmode there, and at the server's pg_hba.conf",
  ],
  ["28", "the server refuses this user: look at the name and the password in the address"],
  ["3D000", "there is no such database: make it, or correct the address"],
  ["42501", "this user lacks a right: it must own the bridge's tables"],
  ["42P01", "a table is not there: another program has changed the database, or a migration is missing"],
  ["XX00", "the server's disk may be failing: look at its log, and restore a backup"],
  ["ECONNREFUSED", "nothing listens there: start the server, or correct the address"],
  ["ENOTFOUND", "there is no such host: correct the address"],
  ["ENOENT", "the server's socket is not there: start the server, or correct the address"],
  ["UNABLE_TO_GET_ISSUER_CERT", UNKNOWN_AUTHORITY],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", UNKNOWN_AUTHORITY],
  ["SELF_SIGNED_CERT_IN_CHAIN", UNKNOWN_AUTHORITY],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", UNKNOWN_AUTHORITY],
  ["CERT_SIGNATURE_FAILURE", UNKNOWN_AUTHORITY],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    "the server's certificate is of another name: have the address name the host as the certificate does. If it does, somebody else may be answering there",
  ],
  ["CERT_HAS_EXPIRED", "have the server's certificate renewed; or this machine's clock is wrong"],
  ["CERT_NOT_YET_VALID", "this machine's clock may be wrong, or the one that the certificate was made by"],
];

/** The same for what comes without a code. */
const REMEDIES_BY_WORDS: readonly (readonly [words: RegExp, remedy: string])[] = [
  [
    /does not support SSL/,
    "switch it on there (ssl = on in postgresql.conf), or write sslmode=disable where nobody can listen on the way",
  ],
];

/** Serialization failure, deadlock, and a lock that somebody else has had for too long. */
const COLLISIONS = new Set(["40001", "40P01", "55P03"]);

/** What the server says as it ends a connection, so that the work can go on in another. */
const ENDINGS = /^(08|57P0|25P03)/;

/** Data that can't be, and what a constraint refuses; a statement of ours that is wrong; a damaged page, which not all need. */
const OWN = /^(2[123]|42(?!501|P01)|XX00[12])/;

/** PostgreSQL's code, or the system's; empty: there is none. */
export function faultCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code } = error as { code?: unknown };
  return typeof code === "string" ? code : faultCode(error.cause);
}

/** The connection is at fault, and nothing was said of what was asked: on another one it can go well. */
export function isDisconnection(error: unknown): boolean {
  return error instanceof DisconnectedError || (error instanceof DatabaseError && ENDINGS.test(error.code ?? ""));
}

/** Whether the same work can go well at once, since only another transaction was in its way. */
export function isCollision(error: unknown): boolean {
  return error instanceof CollisionError || (error instanceof DatabaseError && COLLISIONS.has(error.code ?? ""));
}

/**
 * Whether a write can have failed by its own fault: an error of ours, or a constraint. What else PostgreSQL says is the
 * store's: every other write would fail as well.
 */
export function isOwnFault(error: unknown): boolean {
  if (error instanceof DisconnectedError || error instanceof UncertainCommitError) return false;
  if (error instanceof StoreUnusableError) return false;
  return !(error instanceof DatabaseError) || OWN.test(error.code ?? "");
}

/** What went wrong, with the code for it, and what to do. */
export function wordsOf(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  const code = faultCode(error);
  const remedy =
    REMEDIES.find(([prefix]) => code.startsWith(prefix))?.[1] ??
    REMEDIES_BY_WORDS.find(([words]) => words.test(message))?.[1];
  return `${message}${code === "" ? "" : ` (${code})`}${remedy === undefined ? "" : `: ${remedy}`}`;
}
