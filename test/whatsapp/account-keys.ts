import {
  type BinaryNode,
  generateSignalPubKey,
  getBinaryNodeChild,
  getBinaryNodeChildBuffer,
  getBinaryNodeChildren,
} from "baileys";
import type { PreKeyBundle } from "./signal/libsignal.ts";

export interface PreKey {
  readonly keyId: number;
  readonly publicKey: Buffer;
}

export type SignedPreKey = PreKey & { readonly signature: Buffer };

/** The public keys that a linked bot has left with the server, from which contacts open sessions towards it. */
export class AccountKeys {
  readonly #registrationId: number;
  readonly #identityKey: Buffer;
  #signedPreKey: SignedPreKey;
  readonly #preKeys: PreKey[];

  constructor(registrationId: number, identityKey: Uint8Array, signedPreKey: SignedPreKey, preKeys: readonly PreKey[]) {
    this.#registrationId = registrationId;
    this.#identityKey = publicKey(identityKey);
    this.#signedPreKey = signedPreKey;
    this.#preKeys = [...preKeys];
  }

  /** How many one-time keys are left. */
  get count(): number {
    return this.#preKeys.length;
  }

  /** Takes the stanza with which a bot uploads one-time keys. */
  upload(node: BinaryNode): void {
    for (const key of getBinaryNodeChildren(getBinaryNodeChild(node, "list"), "key")) this.#preKeys.push(preKeyOf(key));
    this.rotate(node);
  }

  rotate(node: BinaryNode): void {
    const skey = getBinaryNodeChild(node, "skey");
    if (skey) this.#signedPreKey = { ...preKeyOf(skey), signature: bufferOf(skey, "signature") };
  }

  /** A bundle for one new session. Each one-time key is handed out once; after the last one it goes without. */
  take(): PreKeyBundle {
    const preKey = this.#preKeys.shift();
    return {
      registrationId: this.#registrationId,
      identityKey: this.#identityKey,
      signedPreKey: this.#signedPreKey,
      ...(preKey && { preKey }),
    };
  }

  /** The bundle that a bot sends with a retry receipt; a fresh one of the uploaded keys if it sent none. */
  fromRetry(receipt: BinaryNode): PreKeyBundle {
    const keys = getBinaryNodeChild(receipt, "keys");
    const key = getBinaryNodeChild(keys, "key");
    const skey = getBinaryNodeChild(keys, "skey");
    if (!keys || !skey) return this.take();
    return {
      registrationId: this.#registrationId,
      identityKey: this.#identityKey,
      signedPreKey: { ...preKeyOf(skey), signature: bufferOf(skey, "signature") },
      ...(key && { preKey: preKeyOf(key) }),
    };
  }
}

export function publicKey(key: Uint8Array): Buffer {
  return Buffer.from(generateSignalPubKey(Buffer.from(key)));
}

function preKeyOf(node: BinaryNode): PreKey {
  return { keyId: bufferOf(node, "id").readUIntBE(0, 3), publicKey: publicKey(bufferOf(node, "value")) };
}

function bufferOf(node: BinaryNode, tag: string): Buffer {
  const bytes = getBinaryNodeChildBuffer(node, tag);
  if (!bytes) throw new Error(`keys: <${node.tag}> without <${tag}>`);
  return Buffer.from(bytes);
}
