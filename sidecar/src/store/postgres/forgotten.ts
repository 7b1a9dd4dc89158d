import { createHmac } from "node:crypto";

const PREFIX = "forgotten:";
const FORGOTTEN = /^forgotten:[0-9a-f]{64}/;

/** What stands in for an id of a customer who asked to be forgotten: see `ForgottenKeys` of the embedded store. */
export function forgottenId(secret: Buffer, id: string): string {
  return `${PREFIX}${createHmac("sha256", secret).update(id).digest("hex")}`;
}

export function isForgotten(id: string): boolean {
  return FORGOTTEN.test(id);
}
