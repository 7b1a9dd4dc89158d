import { createHmac, createSecretKey, type KeyObject } from "node:crypto";

/** https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md, "Signature scheme". */
const PREFIX = "whsec_";
const VERSION = "v1";
const LEAST_BYTES = 24;
const MOST_BYTES = 64;

/** The bytes of a secret as Standard Webhooks writes it down: `whsec_` and base64. Undefined: it is none. */
export function bytesOfWebhookSecret(secret: string): Buffer | undefined {
  if (!secret.startsWith(PREFIX)) return undefined;
  const text = secret.slice(PREFIX.length);
  const bytes = Buffer.from(text, "base64");
  // Node leaves out what is no base64: then both sides would sign with other bytes.
  const isWhole = bytes.toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  return isWhole && bytes.length >= LEAST_BYTES && bytes.length <= MOST_BYTES ? bytes : undefined;
}

/** Throws where it is none: the settings refuse it before. */
export function webhookKeyOf(secret: string): KeyObject {
  const bytes = bytesOfWebhookSecret(secret);
  if (!bytes) throw new Error("the secret for Standard Webhooks is none");
  return createSecretKey(bytes);
}

/** Signs one attempt, with all keys that are valid at once: the other side goes by whichever it knows. */
export class WebhookSignature {
  readonly #id: string;
  readonly #timestamp: string;
  readonly #digests: readonly ReturnType<typeof createHmac>[];

  /** `at`: of the attempt, wall-clock ms. It is signed, so that what somebody has recorded is of no use later. */
  constructor(keys: readonly KeyObject[], id: string, at: number) {
    this.#id = id;
    this.#timestamp = String(Math.floor(at / 1_000));
    this.#digests = keys.map((key) => createHmac("sha256", key).update(`${id}.${this.#timestamp}.`));
  }

  /** The next bytes of the body. */
  update(piece: Buffer): void {
    for (const digest of this.#digests) digest.update(piece);
  }

  /** After the last one. Nothing where there is no key. */
  headers(): Record<string, string> {
    if (this.#digests.length === 0) return {};
    const signatures = this.#digests.map((digest) => `${VERSION},${digest.digest("base64")}`);
    return {
      ...{ "webhook-id": this.#id, "webhook-timestamp": this.#timestamp },
      "webhook-signature": signatures.join(" "),
    };
  }
}
