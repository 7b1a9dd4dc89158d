import { accountId } from "@hotbags/shared";
import type { AccountCode, Gateway, StatusReport } from "./gateway/index.ts";
import type { Store } from "./store/index.ts";

/** A gateway that starts names its accounts late: one that is named no more for so long, ms, is gone. */
const GONE_MS = 60_000;

/** What an account's state says of whether our gateway has it. */
const HAS: Readonly<Record<AccountCode, "yes" | "unless another one does" | "no" | "unknown">> = {
  connected: "yes",
  connecting: "yes",
  reconnecting: "yes",
  stopped: "yes",
  logged_out: "yes",
  replaced: "yes",
  // It is about to be linked here; or another gateway has it, and this one is configured in the same way.
  not_linked: "unless another one does",
  disabled: "no",
  unknown: "unknown",
};

interface OwnAccountsParts {
  store: Pick<Store, "want" | "contested">;
  gateway: Pick<Gateway, "onStatus">;
}

/**
 * Tells the store which accounts our own gateway has, by what it says of them itself and what the plugin hands in: where
 * several sidecars share a store, what is to be sent of an account is sent beside its gateway.
 */
export class OwnAccounts {
  readonly #parts: OwnAccountsParts;
  /** Those that are ours, and when each was seen last, monotonic ms. */
  readonly #seenAt = new Map<string, number>();
  /** Not linked here, and another gateway has them. */
  readonly #left = new Set<string>();
  #unsubscribe = () => {};

  constructor(parts: OwnAccountsParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#unsubscribe = this.#parts.gateway.onStatus((report) => this.#look(report));
  }

  stop(): void {
    this.#unsubscribe();
  }

  /** The plugin has handed in a message of the account. `uptimeMs`: monotonic. */
  handedIn(account: string, uptimeMs: number): void {
    this.#has(account, uptimeMs);
  }

  #look({ accounts, uptimeMs }: StatusReport): void {
    for (const [account, { code }] of accounts) {
      const has = HAS[code];
      if (has === "yes") this.#left.delete(account);
      if (has === "unless another one does" && this.#isContested(account)) this.#left.add(account);
      if (has === "no" || this.#left.has(account)) this.#hasNoMore(account);
      else if (has !== "unknown") this.#has(account, uptimeMs);
      else if (this.#seenAt.has(account)) this.#seenAt.set(account, uptimeMs);
    }
    for (const [account, seenAt] of this.#seenAt) if (uptimeMs - seenAt > GONE_MS) this.#hasNoMore(account);
  }

  #has(account: string, uptimeMs: number): void {
    // OpenClaw may call one what nobody could hand in.
    if (!accountId.safeParse(account).success) return;
    this.#seenAt.set(account, uptimeMs);
    this.#parts.store.want(account, { beside: true });
  }

  #isContested(account: string): boolean {
    return this.#parts.store.contested.some((contest) => contest.account === account);
  }

  #hasNoMore(account: string): void {
    if (this.#seenAt.delete(account)) this.#parts.store.want(account, { beside: false });
  }
}
