import { createHmac, randomBytes } from "node:crypto";
import { type BinaryNode, Curve, getBinaryNodeChild, type KeyPair, proto } from "baileys";
import type { LinkedDevice } from "./account.ts";
import { AccountKeys, publicKey } from "./account-keys.ts";
import { addressesOf, withDevice } from "./jid.ts";
import type { Connection } from "./socket/connection.ts";
import type { ClientFinish } from "./socket/noise.ts";
import { node, SERVER } from "./stanzas/reply.ts";

/** Codes that a device may show one after the other: Baileys takes the first for 60 s, each other for 20 s, and gives up then. */
const REFS = 6;

const ACCOUNT_SIGNATURE_PREFIX = Buffer.from([6, 0]);

/** A device that shows codes, and waits for a phone to scan one. */
interface Waiting {
  readonly connection: Connection;
  readonly noiseKey: Buffer;
  readonly identity: Uint8Array;
  readonly keys: AccountKeys;
  readonly refs: readonly string[];
  /** Called when it has signed its link. */
  signed?: () => void;
}

/** The owner's phone that scans. */
export interface ScanningPhone {
  readonly number: string;
  readonly accountId: string;
  readonly identity: KeyPair;
  /** The index of the new device. */
  readonly device: number;
}

/** Linking by a code: what the server does between a device that has no account yet and the phone that scans its code. */
export class Pairing {
  readonly #waiting = new Map<Connection, Waiting>();

  /** Gives a device that has no account the references of its codes. */
  begin(connection: Connection, { noiseKey, payload: { devicePairingData: data } }: ClientFinish): void {
    if (!data?.eIdent || !data.eRegid || !data.eSkeyId || !data.eSkeyVal || !data.eSkeySig)
      throw new Error("pairing: a device without keys");
    const signedPreKey = {
      keyId: Buffer.from(data.eSkeyId).readUIntBE(0, 3),
      publicKey: publicKey(data.eSkeyVal),
      signature: Buffer.from(data.eSkeySig),
    };
    const keys = new AccountKeys(Buffer.from(data.eRegid).readUInt32BE(), data.eIdent, signedPreKey, []);
    const refs = Array.from({ length: REFS }, () => `2@${randomBytes(24).toString("base64url")}`);
    this.#waiting.set(connection, { connection, noiseKey, identity: data.eIdent, keys, refs });
    const attrs = { id: "pair-device", type: "set", xmlns: "md", from: SERVER };
    const codes = refs.map((ref) => node("ref", {}, Buffer.from(ref)));
    connection.send(node("iq", attrs, [node("pair-device", {}, codes)]));
  }

  /** A stanza of a device that has no account yet. */
  stanza(connection: Connection, stanza: BinaryNode): void {
    if (getBinaryNodeChild(stanza, "pair-device-sign")) this.#waiting.get(connection)?.signed?.();
  }

  closed(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  /**
   * The phone scans a code. Resolves with the linked device, and with what tells it to connect anew, now with an account.
   * @throws Error for what is no code of a device that waits: it was made up, or the device is gone.
   */
  async scan(code: string, phone: ScanningPhone): Promise<{ device: LinkedDevice; restart(): void }> {
    const [ref = "", noiseKey, identityKey, secret = ""] = code.replace(/^[^#]*#/, "").split(",");
    const found = this.#waiting.values().find(({ refs }) => refs.includes(ref));
    if (!found) throw new Error("pairing: nobody waits with this code");
    const { connection, identity, keys } = found;
    if (noiseKey !== found.noiseKey.toString("base64") || identityKey !== Buffer.from(identity).toString("base64"))
      throw new Error("pairing: the code has other keys than the device that shows it");
    const { number, accountId, device } = phone;
    const { pn, lid } = addressesOf(number);
    const signed = Promise.withResolvers<void>();
    found.signed = signed.resolve;
    connection.send(
      node("iq", { id: "pair-success", type: "set", xmlns: "md", from: SERVER }, [
        node("pair-success", {}, [
          node("device-identity", {}, deviceIdentity(identity, secret, phone)),
          node("platform", { name: "android" }),
          node("device", { jid: withDevice(pn, device), lid: withDevice(lid, device) }),
        ]),
      ]),
    );
    await signed.promise;
    const linked = { accountId, number, device, noiseKey: found.noiseKey, phoneIdentity: phone.identity, keys };
    const restart = () => {
      connection.send(node("stream:error", { code: "515" }));
      connection.end();
    };
    return { device: linked, restart };
  }
}

/** Signed by the phone's identity, and proven to come from whoever has seen the code. */
function deviceIdentity(deviceKey: Uint8Array, secret: string, { identity, device }: ScanningPhone): Uint8Array {
  const timestamp = Math.floor(Date.now() / 1000);
  const details = proto.ADVDeviceIdentity.encode({ rawId: 1, timestamp, keyIndex: device }).finish();
  const signed = Buffer.concat([ACCOUNT_SIGNATURE_PREFIX, details, deviceKey]);
  const accountSignature = Curve.sign(identity.private, signed);
  const account = { details, accountSignatureKey: identity.public, accountSignature };
  const whole = proto.ADVSignedDeviceIdentity.encode(account).finish();
  const hmac = createHmac("sha256", Buffer.from(secret, "base64")).update(whole).digest();
  return proto.ADVSignedDeviceIdentityHMAC.encode({ details: whole, hmac }).finish();
}
