import type { BinaryNode } from "baileys";
import {
  Curve,
  encodeBigEndian,
  generateRegistrationId,
  generateSignalPubKey,
  KEY_BUNDLE_TYPE,
  type KeyPair,
} from "baileys";
import { libsignal, type PreKeyBundle, type SessionData, type SignalKeyPair, type SignalStorage } from "./libsignal.ts";
import { SenderKeys } from "./sender-keys.ts";
import { Turns } from "./turns.ts";

/** The bot fetches a fresh bundle every few minutes and uses only the newest: older one-time keys may go. */
const KEPT_PRE_KEYS = 64;
const SIGNED_PRE_KEY_ID = 1;

export type EncType = "pkmsg" | "msg";

export interface Encrypted {
  readonly type: EncType;
  readonly ciphertext: Buffer;
}

let devices = 0;

const toSignal = (pair: KeyPair): SignalKeyPair => ({
  privKey: Buffer.from(pair.private),
  pubKey: Buffer.from(generateSignalPubKey(Buffer.from(pair.public))),
});

/**
 * One phone's Signal state: its identity and its sessions. A peer is named by any string without a dot. Calls for one
 * device take turns, since the ratchet is not safe to use concurrently.
 */
export class SignalDevice {
  readonly registrationId = generateRegistrationId();
  readonly senderKeys = new SenderKeys();
  readonly #identity: KeyPair;
  readonly #sessions = new Map<string, SessionData>();
  readonly #preKeys = new Map<number, SignalKeyPair>();
  readonly #turns = new Turns();
  readonly #storage: SignalStorage;
  /** libsignal queues by address in a module-wide table: unequal addresses keep devices from waiting for each other. */
  readonly #name = `d${++devices}`;
  #signedPreKey: { pair: SignalKeyPair; signature: Buffer } | undefined;
  #nextPreKeyId = 1;

  constructor(identity: KeyPair = Curve.generateKeyPair()) {
    this.#identity = identity;
    this.#storage = {
      // Records are kept serialised: a decryption that fails half-way has already turned the ratchet of its copy.
      loadSession: async (address) => {
        const data = this.#sessions.get(address);
        return data && libsignal.SessionRecord.deserialize(data);
      },
      storeSession: async (address, record) => {
        this.#sessions.set(address, record.serialize());
      },
      isTrustedIdentity: () => true,
      loadPreKey: async (id) => this.#preKeys.get(id),
      removePreKey: (id) => {
        this.#preKeys.delete(id);
      },
      loadSignedPreKey: () => this.#signed().pair,
      getOurRegistrationId: () => this.registrationId,
      getOurIdentity: () => toSignal(this.#identity),
    };
  }

  hasSession(peer: string): boolean {
    return this.#sessions.has(this.#address(peer).toString());
  }

  /** Opens a new session towards a peer; what is encrypted next uses it. */
  openSession(peer: string, bundle: PreKeyBundle): Promise<void> {
    return this.#turns.take(() =>
      new libsignal.SessionBuilder(this.#storage, this.#address(peer)).initOutgoing(bundle),
    );
  }

  /** @throws Error when there is no session with the peer. */
  encrypt(peer: string, plaintext: Uint8Array): Promise<Encrypted> {
    return this.#turns.take(async () => {
      const cipher = new libsignal.SessionCipher(this.#storage, this.#address(peer));
      const { type, body } = await cipher.encrypt(Buffer.from(plaintext));
      return { type: type === 3 ? "pkmsg" : "msg", ciphertext: body };
    });
  }

  /** @throws Error when no session of this device fits: the sender's ratchet is behind, or its session was lost. */
  decrypt(peer: string, type: string, ciphertext: Uint8Array): Promise<Buffer> {
    return this.#turns.take(() => {
      const cipher = new libsignal.SessionCipher(this.#storage, this.#address(peer));
      const data = Buffer.from(ciphertext);
      return type === "pkmsg" ? cipher.decryptPreKeyWhisperMessage(data) : cipher.decryptWhisperMessage(data);
    });
  }

  /** The nodes with which others open a session towards this device: a new one-time key each time. */
  bundle(): BinaryNode[] {
    const id = this.#nextPreKeyId++;
    const pair = toSignal(Curve.generateKeyPair());
    this.#preKeys.set(id, pair);
    const oldest = id - KEPT_PRE_KEYS;
    this.#preKeys.delete(oldest);
    const signed = this.#signed();
    return [
      { tag: "type", attrs: {}, content: KEY_BUNDLE_TYPE },
      { tag: "identity", attrs: {}, content: Buffer.from(this.#identity.public) },
      keyNode("key", id, pair),
      { ...keyNode("skey", SIGNED_PRE_KEY_ID, signed.pair, signed.signature) },
    ];
  }

  registration(): BinaryNode {
    return { tag: "registration", attrs: {}, content: encodeBigEndian(this.registrationId) };
  }

  #address(peer: string) {
    return new libsignal.ProtocolAddress(`${this.#name}-${peer}`, 0);
  }

  /** Made when first needed: signing takes 8 ms, and most contacts of a load test are never asked for it. */
  #signed() {
    if (!this.#signedPreKey) {
      const pair = toSignal(Curve.generateKeyPair());
      this.#signedPreKey = { pair, signature: Buffer.from(Curve.sign(this.#identity.private, pair.pubKey)) };
    }
    return this.#signedPreKey;
  }
}

function keyNode(tag: "key" | "skey", id: number, pair: SignalKeyPair, signature?: Buffer): BinaryNode {
  const content: BinaryNode[] = [
    { tag: "id", attrs: {}, content: encodeBigEndian(id, 3) },
    { tag: "value", attrs: {}, content: pair.pubKey.subarray(1) },
  ];
  if (signature) content.push({ tag: "signature", attrs: {}, content: signature });
  return { tag, attrs: {}, content };
}
