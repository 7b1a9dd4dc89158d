import {
  GroupCipher,
  GroupSessionBuilder,
  SenderKeyDistributionMessage,
  SenderKeyMessage,
  SenderKeyName,
  SenderKeyRecord,
} from "baileys/lib/Signal/Group/index.js";
import { Turns } from "./turns.ts";

/** The messages whose signature was found good, with the key that made it. */
const verified = new WeakMap<Uint8Array, Uint8Array>();
const verify = SenderKeyMessage.prototype.verifySignature;

// Verifying takes 10 ms of CPU in the JavaScript that Baileys uses: one member's verification does for all of the group.
SenderKeyMessage.prototype.verifySignature = function (signatureKey: Uint8Array): void {
  const bytes = this.serialize();
  if (verified.get(bytes)?.every((byte, index) => byte === signatureKey[index])) return;
  verify.call(this, signatureKey);
  verified.set(bytes, signatureKey);
};

/** A device's sender keys: with one of them a message to a group is encrypted once for all members. */
export class SenderKeys {
  readonly #records = new Map<string, SenderKeyRecord>();
  readonly #turns = new Turns();
  readonly #store = {
    loadSenderKey: async (name: SenderKeyName) => {
      const key = name.toString();
      let record = this.#records.get(key);
      if (!record) {
        record = new SenderKeyRecord();
        this.#records.set(key, record);
      }
      return record;
    },
    storeSenderKey: async (name: SenderKeyName, record: SenderKeyRecord) => {
      this.#records.set(name.toString(), record);
    },
  };

  /** Encrypts for a group, and gives what a member needs to read this message and the following ones. Takes 8 ms of CPU. */
  encrypt(
    groupId: string,
    author: string,
    plaintext: Uint8Array,
  ): Promise<{ ciphertext: Uint8Array; distribution: Uint8Array }> {
    return this.#turns.take(async () => {
      const name = senderKeyName(groupId, author);
      const distribution = (await new GroupSessionBuilder(this.#store).create(name)).serialize();
      return { ciphertext: await new GroupCipher(this.#store, name).encrypt(plaintext), distribution };
    });
  }

  /** Learns an author's sender key. */
  learn(groupId: string, author: string, distribution: Uint8Array): Promise<void> {
    return this.#turns.take(() =>
      new GroupSessionBuilder(this.#store).process(
        senderKeyName(groupId, author),
        new SenderKeyDistributionMessage(null, null, null, null, distribution),
      ),
    );
  }

  /** @throws Error when the author's sender key is unknown, or this message's key was used before. */
  decrypt(groupId: string, author: string, ciphertext: Uint8Array): Promise<Uint8Array> {
    return this.#turns.take(() => new GroupCipher(this.#store, senderKeyName(groupId, author)).decrypt(ciphertext));
  }
}

function senderKeyName(groupId: string, author: string): SenderKeyName {
  return new SenderKeyName(groupId, { id: author, deviceId: 0, toString: () => `${author}.0` });
}
