import { NOISE_WA_HEADER } from "baileys";

const LENGTH_BYTES = 3;

/** Puts the 3-byte big-endian length before a frame. */
export function encodeFrame(body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(LENGTH_BYTES + body.byteLength);
  frame.writeUIntBE(body.byteLength, 0, LENGTH_BYTES);
  frame.set(body, LENGTH_BYTES);
  return frame;
}

/** Cuts a client's byte stream into frames, whatever the boundaries of the WebSocket messages are. */
export class FrameReader {
  #bytes: Buffer = Buffer.alloc(0);
  #introRead = false;

  /** Returns the frames completed by these bytes. @throws Error when the stream doesn't open with WhatsApp's intro. */
  push(data: Uint8Array): Buffer[] {
    this.#bytes = this.#bytes.length === 0 ? Buffer.from(data) : Buffer.concat([this.#bytes, data]);
    if (!this.#introRead && !this.#readIntro()) return [];
    const frames: Buffer[] = [];
    while (this.#bytes.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + this.#bytes.readUIntBE(0, LENGTH_BYTES);
      if (this.#bytes.length < end) break;
      frames.push(this.#bytes.subarray(LENGTH_BYTES, end));
      this.#bytes = this.#bytes.subarray(end);
    }
    return frames;
  }

  /** The intro is an optional routing block (`ED`, 2 bytes, 3-byte length, that many bytes), then `WA` and a version. */
  #readIntro(): boolean {
    let at = 0;
    if (this.#bytes.length >= 2 && this.#bytes.toString("latin1", 0, 2) === "ED") {
      if (this.#bytes.length < 7) return false;
      at = 7 + this.#bytes.readUIntBE(4, LENGTH_BYTES);
    }
    const end = at + NOISE_WA_HEADER.length;
    if (this.#bytes.length < end) return false;
    if (!this.#bytes.subarray(at, end).equals(NOISE_WA_HEADER)) throw new Error("frames: no WhatsApp Web client");
    this.#bytes = this.#bytes.subarray(end);
    this.#introRead = true;
    return true;
  }
}
