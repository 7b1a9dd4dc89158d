import type { KeyPair } from "baileys";
import type { AccountKeys } from "./account-keys.ts";
import { type Addresses, addressesOf, withDevice, withoutDevice } from "./jid.ts";
import { Mailbox, type MailboxOptions } from "./mailbox.ts";
import type { Recipient } from "./recipient.ts";
import { SignalDevice } from "./signal/device.ts";
import type { Connection } from "./socket/connection.ts";
import type { TimeLock } from "./stanzas/time-lock.ts";

export interface LinkedDevice {
  readonly accountId: string;
  /** E.164. */
  readonly number: string;
  /** The index of the companion device, 1 for the first link of a number. */
  readonly device: number;
  /** The public key with which the device proves itself at each login. */
  readonly noiseKey: Uint8Array;
  /** The identity of the owner's phone, which signed the link. */
  readonly phoneIdentity: KeyPair;
  readonly keys: AccountKeys;
}

export interface AccountOptions extends MailboxOptions {
  readonly renewsSessions: boolean;
}

/** A linked bot: one companion device of one number. A new link of the same account is a new Account. */
export class Account implements Recipient {
  readonly id: string;
  readonly addresses: Addresses;
  readonly device: number;
  readonly noiseKey: Buffer;
  readonly keys: AccountKeys;
  /** The owner's phone, device 0: the bot encrypts a copy of all that it sends for it. */
  readonly phone: SignalDevice;
  readonly mailbox: Mailbox;
  readonly peer: string;
  connection: Connection | undefined;
  loggedOut = false;
  timeLock: TimeLock | null = null;
  departures = 0;
  logins = 0;
  readonly renewsSessions: boolean;

  constructor(link: LinkedDevice, options: AccountOptions) {
    this.id = link.accountId;
    this.addresses = addressesOf(link.number);
    this.device = link.device;
    this.noiseKey = Buffer.from(link.noiseKey);
    this.keys = link.keys;
    this.phone = new SignalDevice(link.phoneIdentity);
    this.peer = `${link.number}:${link.device}`;
    this.renewsSessions = options.renewsSessions;
    this.mailbox = new Mailbox(this, options);
  }

  /** The address with the device, as the server tells it at login. */
  get lidDevice(): string {
    return withDevice(this.addresses.lid, this.device);
  }

  owns(jid: string): boolean {
    const user = withoutDevice(jid);
    return user === this.addresses.pn || user === this.addresses.lid;
  }

  connected(connection: Connection): void {
    this.connection = connection;
    this.logins++;
    this.mailbox.connected(connection);
  }

  disconnected(byClient: boolean): void {
    if (byClient) this.departures++;
    this.connection = undefined;
    this.mailbox.disconnected();
  }

  describe(): string {
    const state = this.loggedOut ? "logged out" : this.mailbox.describe();
    return `the bot ${this.id} is ${state} (logins so far: ${this.logins})`;
  }
}
