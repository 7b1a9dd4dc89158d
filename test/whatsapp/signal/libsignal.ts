import { createRequire, registerHooks } from "node:module";

export interface SignalKeyPair {
  readonly privKey: Buffer;
  /** 33 bytes: the key type (5), then the key. */
  readonly pubKey: Buffer;
}

/** The serialised state of all sessions with one address: plain data. */
export type SessionData = { readonly version: string };

export interface SessionRecord {
  serialize(): SessionData;
}

/** The keys with which a session is opened towards somebody. Public keys are 33 bytes. */
export interface PreKeyBundle {
  readonly registrationId: number;
  readonly identityKey: Buffer;
  readonly signedPreKey: { readonly keyId: number; readonly publicKey: Buffer; readonly signature: Buffer };
  readonly preKey?: { readonly keyId: number; readonly publicKey: Buffer };
}

/** What libsignal asks of its user; ids of prekeys are numbers, ids of sessions are addresses. */
export interface SignalStorage {
  loadSession(address: string): Promise<SessionRecord | undefined>;
  storeSession(address: string, record: SessionRecord): Promise<void>;
  isTrustedIdentity(): boolean;
  loadPreKey(id: number): Promise<SignalKeyPair | undefined>;
  removePreKey(id: number): void;
  loadSignedPreKey(id: number): SignalKeyPair | undefined;
  getOurRegistrationId(): number;
  getOurIdentity(): SignalKeyPair;
}

interface Address {
  toString(): string;
}

interface SessionCipher {
  encrypt(data: Buffer): Promise<{ type: number; body: Buffer }>;
  decryptPreKeyWhisperMessage(data: Buffer): Promise<Buffer>;
  decryptWhisperMessage(data: Buffer): Promise<Buffer>;
}

/** What a first message is on the wire, behind its version byte: keys that open a session, and the message itself. */
export interface FirstMessage {
  /** Ends with its MAC. */
  message: Uint8Array;
}

/** The part of libsignal's wire format that the double reads. */
interface WireFormat {
  PreKeyWhisperMessage: {
    decode(bytes: Uint8Array): FirstMessage;
    encode(message: FirstMessage): { finish(): Uint8Array };
  };
}

/** The parts of libsignal that the double uses; its own types lack half of them. */
interface LibSignal {
  ProtocolAddress: new (name: string, deviceId: number) => Address;
  SessionRecord: { deserialize(data: SessionData): SessionRecord };
  SessionBuilder: new (
    storage: SignalStorage,
    address: Address,
  ) => { initOutgoing(bundle: PreKeyBundle): Promise<void> };
  SessionCipher: new (storage: SignalStorage, address: Address) => SessionCipher;
}

const SESSION_FILES = /\/libsignal\/(index|src\/session_[a-z]+)\.js$/;

// libsignal is a dependency of Baileys, not of ours, so it is resolved from there.
const require = createRequire(createRequire(import.meta.url).resolve("baileys"));

/**
 * Loads a private copy of libsignal's session code with a mute console: it prints whole session objects, keys and all.
 * What Baileys has loaded stays as it is.
 */
function loadQuietly(): LibSignal {
  const loadedByBaileys = Object.entries(require.cache).filter(([path]) => SESSION_FILES.test(path));
  for (const [path] of loadedByBaileys) delete require.cache[path];
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      const loaded = nextLoad(url, context);
      if (!SESSION_FILES.test(url) || !loaded.source) return loaded;
      const source = Buffer.from(loaded.source as Uint8Array).toString();
      return { ...loaded, source: `const console = { info() {}, warn() {}, error() {} };${source}` };
    },
  });
  try {
    return require("libsignal") as LibSignal;
  } finally {
    hooks.deregister();
    for (const [path, module] of loadedByBaileys) require.cache[path] = module;
  }
}

export const libsignal = loadQuietly();
export const wireFormat = require("libsignal/src/protobufs.js") as WireFormat;
