import { encodeWAMessage, getBinaryNodeChildBuffer } from "baileys";
import { expect, test } from "vitest";
import { AccountKeys } from "../account-keys.ts";
import { SignalDevice } from "./device.ts";
import { tamper } from "./tamper.ts";

// WhatsApp pads at random, so that a message has many lengths: enough of them that a byte in the wrong place would be met.
const TIMES = 60;

async function openSession(from: SignalDevice, to: SignalDevice): Promise<void> {
  const keys = { tag: "keys", attrs: {}, content: to.bundle() };
  const identity = Buffer.from(getBinaryNodeChildBuffer(keys, "identity") ?? "");
  const unused = { keyId: 0, publicKey: identity, signature: identity };
  const bundle = new AccountKeys(to.registrationId, identity, unused, []).fromRetry({
    tag: "receipt",
    attrs: {},
    content: [keys],
  });
  await from.openSession("peer", bundle);
}

const garbled = () => encodeWAMessage({ conversation: "garbled" });

/** How many of these messages the reader could read, each encrypted anew. */
async function readable(writer: SignalDevice, reader: SignalDevice, type: string): Promise<number> {
  let count = 0;
  for (let n = 0; n < TIMES; n++) {
    const encrypted = await writer.encrypt("peer", garbled());
    expect(encrypted.type).toBe(type);
    const read = reader.decrypt("peer", type, tamper(encrypted));
    count += await read.then(
      () => 1,
      () => 0,
    );
  }
  return count;
}

test("a message of a session that the reader has is never readable, be it among the first ones or a later one", async () => {
  const [anna, ben] = [new SignalDevice(), new SignalDevice()];
  await openSession(anna, ben);
  const first = await anna.encrypt("peer", garbled());
  await ben.decrypt("peer", first.type, first.ciphertext);
  expect(await readable(anna, ben, "pkmsg")).toBe(0);
  const answer = await ben.encrypt("peer", garbled());
  await anna.decrypt("peer", answer.type, answer.ciphertext);
  expect(await readable(anna, ben, "msg")).toBe(0);
  const untouched = await anna.encrypt("peer", garbled());
  await expect(ben.decrypt("peer", untouched.type, untouched.ciphertext)).resolves.toBeInstanceOf(Buffer);
});
