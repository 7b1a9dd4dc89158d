import { createSecretKey, type KeyObject } from "node:crypto";
import type { Logger } from "pino";
import { Rotation, type Which } from "../rotation.ts";
import { webhookKeyOf } from "./webhook-signature.ts";

/** What Hot Bags knows the bridge by. Of each the previous one is there while it is replaced. */
export interface HotBagsSecrets {
  bearerToken: string;
  bearerTokenPrevious?: string | null;
  /** Signs every body; null: nothing is signed. */
  hmacSecret: string | null;
  hmacSecretPrevious?: string | null;
  /** Signs each attempt as Standard Webhooks does; null: none is. */
  webhookSecret?: string | null;
  webhookSecretPrevious?: string | null;
}

/** One bearer token with one key to sign with. */
export interface Pass {
  readonly bearerToken: string;
  /** Null: nothing is signed. */
  readonly key: KeyObject | null;
  readonly which: { readonly bearer: Which; readonly hmac: Which };
}

/** Two secrets at once, so that they can be replaced while messages flow: the new one is always shown first. */
export class Credentials {
  #passes: readonly Pass[] = [];
  #webhookKeys: readonly KeyObject[] = [];
  readonly #bearer: Rotation;
  readonly #hmac: Rotation;

  constructor(secrets: HotBagsSecrets, log: Logger) {
    this.#bearer = new Rotation({ setting: "HOTBAGS_BEARER_TOKEN", who: "Hot Bags" }, log);
    this.#hmac = new Rotation({ setting: "HOTBAGS_HMAC_SECRET", who: "Hot Bags" }, log);
    this.adopt(secrets);
  }

  /** Goes on with others. */
  adopt({ bearerToken, bearerTokenPrevious, hmacSecret, hmacSecretPrevious, ...webhook }: HotBagsSecrets): void {
    const { webhookSecret, webhookSecretPrevious = null } = webhook;
    this.#webhookKeys = webhookSecret
      ? eachOf(webhookSecret, webhookSecretPrevious).map(({ secret }) => webhookKeyOf(secret))
      : [];
    const bearers = eachOf(bearerToken, bearerTokenPrevious ?? null);
    // Made once: a key object signs six times faster than a raw secret.
    const keys = eachOf(hmacSecret, hmacSecretPrevious ?? null).map(({ which, secret }) => ({
      which,
      key: secret === null ? null : createSecretKey(Buffer.from(secret)),
    }));
    const passes = keys.flatMap(({ which: hmac, key }) =>
      bearers.map(({ which: bearer, secret }) => ({ bearerToken: secret, key, which: { bearer, hmac } })),
    );
    if (areSame(passes, this.#passes)) return;
    this.#passes = passes;
    this.#bearer.begin(bearers.length > 1);
    this.#hmac.begin(keys.length > 1);
  }

  /** All that sign at once as Standard Webhooks does, the new one first: no other side has to be asked which it knows. */
  get webhookKeys(): readonly KeyObject[] {
    return this.#webhookKeys;
  }

  /** What to show first. */
  get first(): Pass {
    return this.#passes[0] as Pass;
  }

  /** What to show next, when these were refused; undefined: there is no other. */
  after(refused: readonly Pass[]): Pass | undefined {
    return this.#passes.find((pass) => !refused.some((other) => isSame(pass, other)));
  }

  /** Hot Bags has taken a message with this one. */
  accepted(pass: Pass): void {
    // The new one of when it was sent may be the previous one of now.
    const which = this.#passes.find((one) => isSame(one, pass))?.which;
    if (!which) return;
    this.#bearer.accepted(which.bearer);
    this.#hmac.accepted(which.hmac);
  }

  /** By setting; null where there is only one of it. */
  get rotations() {
    return { HOTBAGS_BEARER_TOKEN: this.#bearer.status, HOTBAGS_HMAC_SECRET: this.#hmac.status };
  }
}

function eachOf<Secret extends string | null>(now: Secret, previous: Secret | null) {
  const first = { which: "new" as const, secret: now };
  return previous === null || previous === now ? [first] : [first, { which: "previous" as const, secret: previous }];
}

/** What was accepted of them goes on to count then. */
function areSame(some: readonly Pass[], others: readonly Pass[]): boolean {
  return some.length === others.length && some.every((pass, n) => others[n] && isSame(pass, others[n]));
}

function isSame(one: Pass, other: Pass): boolean {
  if (one.bearerToken !== other.bearerToken) return false;
  return one.key === null || other.key === null ? one.key === other.key : one.key.equals(other.key);
}
