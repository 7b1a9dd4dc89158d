import { accountId } from "@hotbags/shared";
import type { AccountCode, Gateway, StatusReport } from "./gateway/index.ts";
import type { Store } from "./store/index.ts";

/** A gateway that starts names its accounts late: one that is named no more for so long, ms, is gone. */
const GONE_MS = 60_000;

/** What an account's state says of whether our gateway can be the one that sends; of null nothing follows. */
const BESIDE: Readonly<Record<AccountCode, boolean | null>> = {
  connected: true,
  connecting: true,
  reconnecting: true,
  stopped: true,
  logged_out: true,
  replaced: true,
  disabled: false,
  // It may be linked in another gateway, for which this one stands by; or it is about to be linked here.
  not_linked: null,
  unknown: null,
};

interface OwnAccountsParts {
  store: Pick<Store, "want">;
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
      const isBeside = BESIDE[code];
      if (isBeside === true) this.#has(account, uptimeMs);
      else if (isBeside === false) this.#hasNoMore(account);
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

  #hasNoMore(account: string): void {
    if (this.#seenAt.delete(account)) this.#parts.store.want(account, { beside: false });
  }
}
