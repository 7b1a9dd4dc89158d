import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type AuthenticationCreds, BufferJSON, Curve, initAuthCreds, type KeyPair, proto } from "baileys";
import type { LinkedDevice } from "./account.ts";
import { AccountKeys, publicKey } from "./account-keys.ts";
import { addressesOf, withDevice } from "./jid.ts";

const ACCOUNT_SIGNATURE_PREFIX = Buffer.from([6, 0]);
const DEVICE_SIGNATURE_PREFIX = Buffer.from([6, 1]);

/**
 * One-time keys that the device has left with the server already. Baileys uploads 812 of them, a file each, at its first
 * login if there are none: that takes half a second.
 */
const PRE_KEYS = 50;

export interface LinkOptions {
  /** The bot's number, E.164. */
  readonly number: string;
  /** Default `default`. */
  readonly accountId?: string;
}

/** Where OpenClaw keeps an account's credentials. */
export function credentialsFolder(stateDir: string, accountId: string): string {
  return join(stateDir, "credentials", "whatsapp", accountId);
}

/** Writes the credentials of a device that was linked a moment ago, in place of any earlier ones of this account. */
export async function writeLink(
  stateDir: string,
  { number, accountId = "default" }: LinkOptions,
  device: number,
  phoneIdentity: KeyPair,
): Promise<LinkedDevice> {
  const creds = initAuthCreds();
  const { noiseKey, registrationId, signedIdentityKey, signedPreKey } = creds;
  const folder = credentialsFolder(stateDir, accountId);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const write = (file: string, value: unknown) =>
    writeFile(join(folder, file), JSON.stringify(value, BufferJSON.replacer), { mode: 0o600 });
  await write("creds.json", { ...creds, ...linkedCreds(creds, number, device, phoneIdentity) });
  const preKeys = Array.from({ length: PRE_KEYS }, (_, index) => ({ keyId: index + 1, pair: Curve.generateKeyPair() }));
  await Promise.all(preKeys.map(({ keyId, pair }) => write(`pre-key-${keyId}.json`, pair)));
  const signed = { keyId: signedPreKey.keyId, publicKey: publicKey(signedPreKey.keyPair.public) };
  const signedKey = { ...signed, signature: Buffer.from(signedPreKey.signature) };
  const oneTimeKeys = preKeys.map(({ keyId, pair }) => ({ keyId, publicKey: publicKey(pair.public) }));
  const keys = new AccountKeys(registrationId, signedIdentityKey.public, signedKey, oneTimeKeys);
  return { accountId, number, device, noiseKey: noiseKey.public, phoneIdentity, keys };
}

/** What pairing with a phone would have added to fresh credentials. */
function linkedCreds(
  { signedIdentityKey }: AuthenticationCreds,
  number: string,
  device: number,
  phoneIdentity: KeyPair,
): Partial<AuthenticationCreds> {
  const addresses = addressesOf(number);
  const lid = withDevice(addresses.lid, device);
  const timestamp = Math.floor(Date.now() / 1000);
  const details = proto.ADVDeviceIdentity.encode({ rawId: 1, timestamp, keyIndex: device }).finish();
  const identity = signedIdentityKey.public;
  const accountSignature = Curve.sign(
    phoneIdentity.private,
    Buffer.concat([ACCOUNT_SIGNATURE_PREFIX, details, identity]),
  );
  const deviceSignature = Curve.sign(
    signedIdentityKey.private,
    Buffer.concat([DEVICE_SIGNATURE_PREFIX, details, identity, phoneIdentity.public]),
  );
  return {
    me: { id: withDevice(addresses.pn, device), lid, name: "Bot" },
    account: { details, accountSignatureKey: phoneIdentity.public, accountSignature, deviceSignature },
    signalIdentities: [{ identifier: { name: lid, deviceId: 0 }, identifierKey: publicKey(phoneIdentity.public) }],
    registered: true,
    nextPreKeyId: PRE_KEYS + 1,
    firstUnuploadedPreKeyId: PRE_KEYS + 1,
    platform: "android",
    // Above 0, Baileys doesn't wait 20 s for a history sync that never comes.
    accountSyncCounter: 1,
  };
}
