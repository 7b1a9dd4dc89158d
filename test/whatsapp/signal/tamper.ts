import type { Encrypted } from "./device.ts";
import { wireFormat } from "./libsignal.ts";

/**
 * The same ciphertext with a wrong MAC: nobody can read it. Any other byte will not do. A first message carries the keys that open a
 * session around the message itself, and where the reader has that session already, it never looks at them.
 */
export function tamper({ type, ciphertext }: Encrypted): Buffer {
  if (type === "msg") return withLastBitFlipped(ciphertext);
  const [version] = ciphertext;
  const first = wireFormat.PreKeyWhisperMessage.decode(ciphertext.subarray(1));
  first.message = withLastBitFlipped(first.message);
  return Buffer.concat([Buffer.of(version ?? 0), wireFormat.PreKeyWhisperMessage.encode(first).finish()]);
}

function withLastBitFlipped(bytes: Uint8Array): Buffer {
  const flipped = Buffer.from(bytes);
  const last = flipped.length - 1;
  flipped.writeUInt8(flipped.readUInt8(last) ^ 1, last);
  return flipped;
}
