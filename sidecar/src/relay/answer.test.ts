import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { AnswerError, readAnswer } from "./answer.ts";

const MIB = 1024 * 1024;

// test/sidecar/answers.test.ts has the answers that can come, on real connections.
it.each([undefined, "gzip"])(
  "reads no more than its limit of what never ends (Content-Encoding: %s)",
  async (coding) => {
    const chunk = coding ? gzipSync(Buffer.alloc(64 * 1024)) : Buffer.alloc(64 * 1024, " ");
    let read = 0;
    let isOver = false;
    async function* endless() {
      try {
        for (;;) {
          read += chunk.length;
          yield chunk;
        }
      } finally {
        isOver = true;
      }
    }
    await expect(readAnswer(Readable.from(endless(), { objectMode: false }), coding)).rejects.toThrow(AnswerError);
    expect(read).toBeLessThanOrEqual(MIB + chunk.length);
    expect(isOver).toBe(true);
  },
);
