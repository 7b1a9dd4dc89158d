import { aesDecryptGCM, aesEncryptGCM, Curve, hkdf, NOISE_MODE, NOISE_WA_HEADER, proto, sha256 } from "baileys";
import type { ServerIdentity } from "./certificate.ts";

const NO_AAD = Buffer.alloc(0);

/** The counter is the last 4 bytes of a 12-byte IV. */
function ivOf(counter: number): Buffer {
  const iv = Buffer.alloc(12);
  iv.writeUInt32BE(counter, 8);
  return iv;
}

/** What a client proves and says in its last handshake frame. */
export interface ClientFinish {
  /** The client's long-lived noise key: it names the linked device. */
  readonly noiseKey: Buffer;
  readonly payload: proto.ClientPayload;
}

/** The server's side of Noise_XX_25519_AESGCM_SHA256 and of the transport that follows; one for each connection. */
export class NoiseServer {
  readonly #identity: ServerIdentity;
  readonly #ephemeral = Curve.generateKeyPair();
  #hash: Buffer = Buffer.from(NOISE_MODE);
  #salt: Uint8Array = this.#hash;
  #key: Uint8Array = this.#hash;
  #counter = 0;
  #readKey: Uint8Array = NO_AAD;
  #writeKey: Uint8Array = NO_AAD;
  #reads = 0;
  #writes = 0;

  constructor(identity: ServerIdentity) {
    this.#identity = identity;
  }

  /** Answers the client's first frame with an encoded serverHello. */
  hello(clientHello: Uint8Array): Uint8Array {
    const ephemeral = proto.HandshakeMessage.decode(clientHello).clientHello?.ephemeral;
    if (!ephemeral) throw new Error("noise: the first frame is no clientHello");
    this.#authenticate(NOISE_WA_HEADER);
    this.#authenticate(ephemeral);
    this.#authenticate(this.#ephemeral.public);
    this.#mix(Curve.sharedKey(this.#ephemeral.private, ephemeral));
    const staticKey = this.#seal(this.#identity.staticKey.public);
    this.#mix(Curve.sharedKey(this.#identity.staticKey.private, ephemeral));
    const payload = this.#seal(this.#identity.certificate);
    return proto.HandshakeMessage.encode({
      serverHello: { ephemeral: this.#ephemeral.public, static: staticKey, payload },
    }).finish();
  }

  /** Reads the client's second frame; from then on frames are transport frames. */
  finish(frame: Uint8Array): ClientFinish {
    const finish = proto.HandshakeMessage.decode(frame).clientFinish;
    if (!finish?.static || !finish.payload) throw new Error("noise: the second frame is no clientFinish");
    const noiseKey = this.#open(finish.static);
    this.#mix(Curve.sharedKey(this.#ephemeral.private, noiseKey));
    const payload = proto.ClientPayload.decode(this.#open(finish.payload));
    [this.#readKey, this.#writeKey] = this.#derive(NO_AAD);
    return { noiseKey, payload };
  }

  encrypt(plaintext: Uint8Array): Buffer {
    return aesEncryptGCM(plaintext, this.#writeKey, ivOf(this.#writes++), NO_AAD);
  }

  decrypt(ciphertext: Uint8Array): Buffer {
    return aesDecryptGCM(ciphertext, this.#readKey, ivOf(this.#reads++), NO_AAD);
  }

  #authenticate(data: Uint8Array): void {
    this.#hash = sha256(Buffer.concat([this.#hash, data]));
  }

  #derive(data: Uint8Array): [Uint8Array, Uint8Array] {
    const key = hkdf(data, 64, { salt: Buffer.from(this.#salt), info: "" });
    return [key.subarray(0, 32), key.subarray(32)];
  }

  #mix(data: Uint8Array): void {
    [this.#salt, this.#key] = this.#derive(data);
    this.#counter = 0;
  }

  #seal(plaintext: Uint8Array): Buffer {
    const sealed = aesEncryptGCM(plaintext, this.#key, ivOf(this.#counter++), this.#hash);
    this.#authenticate(sealed);
    return sealed;
  }

  #open(ciphertext: Uint8Array): Buffer {
    const opened = aesDecryptGCM(ciphertext, this.#key, ivOf(this.#counter++), this.#hash);
    this.#authenticate(ciphertext);
    return opened;
  }
}
