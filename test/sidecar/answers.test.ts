import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import {
  brotliCompressSync,
  deflateRawSync,
  deflateSync,
  gzipSync,
  constants as zlib,
  zstdCompressSync,
} from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MAX_COMMANDS } from "../../shared/src/index.ts";
import { type Fault, type HotBags, startHotBags } from "../hotbags/index.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN } from "./built-sidecar.ts";
import { ANNA } from "./message.ts";
import { type RealRelay, startRelay } from "./real-relay.ts";

// What real backends and the proxies in front of them answer, byte for byte, on the real relay, store and HTTP client.

const MIB = 1024 * 1024;

let dir: string;
let hotbags: HotBags;
let running: RealRelay;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-answers-"));
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  running = await startRelay({ dir, url: hotbags.url });
});
afterEach(async () => {
  await running.stop();
  await hotbags.close();
  rmSync(dir, { recursive: true });
  expect(hotbags.violations).toEqual([]);
});

const sendText = (command_id: unknown, text = "Two left.") => ({ command_id, type: "send_text", text });
const jsonOf = (...commands: unknown[]) => JSON.stringify({ commands });
const ANSWER = jsonOf(sendText("c1"));

const counts = async () => await running.store.counters();
const linesOf = (id: string) => running.lines.filter(({ message_id }) => message_id === id);

/** Hot Bags answers the first attempt for a message with this, a second one with no commands. Resolves at its delivery. */
async function exchange(fault: Fault, id = "A") {
  hotbags.next(fault);
  const before = (await counts()).delivered;
  const { chat } = await running.takeIn(id);
  await until(`${id} is delivered`, async () => (await counts()).delivered === before + 1);
  return { chat, attempts: hotbags.requests.filter(({ key }) => key === id).length };
}

/** The answer is taken at once, and its one command waits to be sent. */
async function expectTaken(fault: Fault) {
  const { chat, attempts } = await exchange(fault);
  expect(attempts).toBe(1);
  expect(await running.store.commands.nextOf(chat)).toMatchObject({ command_id: "c1", text: "Two left." });
}

/** The answer is refused as a whole, the operator is told why, and the message is tried again. Returns the reason. */
async function refusalOf(fault: Fault): Promise<string> {
  const { attempts } = await exchange(fault);
  expect(attempts).toBe(2);
  expect(await counts()).toMatchObject({ commands_pending: 0, commands_failed: 0, commands_skipped: 0 });
  const [line] = linesOf("A");
  expect(line).toMatchObject({ level: "error", alarm: true, rule: "contract" });
  return String(line?.["msg"]);
}

const ok = (contentEncoding: string, body: string | Buffer): Fault => ({
  status: 200,
  headers: { "content-type": "application/json", "content-encoding": contentEncoding },
  body,
});

describe("a compressed answer", () => {
  it("is not asked for", async () => {
    await running.takeIn("A");
    await until("it is delivered", async () => (await counts()).delivered === 1);
    expect(hotbags.requests[0]?.headers["accept-encoding"]).toBe("identity");
  });

  it.each([
    ["gzip", gzipSync(ANSWER)],
    ["GZip", gzipSync(ANSWER)],
    ["x-gzip", gzipSync(ANSWER)],
    ["br", brotliCompressSync(ANSWER)],
    ["deflate", deflateSync(ANSWER)],
    ["deflate", deflateRawSync(ANSWER)],
    ["zstd", zstdCompressSync(ANSWER)],
    ["identity", ANSWER],
    ["", ANSWER],
    ["br, gzip", gzipSync(brotliCompressSync(ANSWER))],
    ["identity,gzip , ", gzipSync(ANSWER)],
  ])("in %o is read", async (coding, body) => {
    await expectTaken(ok(coding, body));
  });

  it("whose codings stand in two header lines is read", async () => {
    const body = gzipSync(zstdCompressSync(ANSWER));
    const head = `HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n`;
    await expectTaken({ bytes: Buffer.concat([Buffer.from(head), body]) });
  });

  it("that comes in chunks, as a stream that is compressed on the way does, is read", async () => {
    const body = gzipSync(ANSWER);
    const chunk = (bytes: Buffer) => [Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")];
    const head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n";
    const bytes = [
      Buffer.from(head),
      ...chunk(body.subarray(0, 7)),
      ...chunk(body.subarray(7)),
      Buffer.from("0\r\n\r\n"),
    ];
    await expectTaken({ bytes: Buffer.concat(bytes) });
  });

  it.each([
    ["204", "HTTP/1.1 204 No Content\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n"],
    [
      "{}",
      Buffer.concat([
        Buffer.from("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nConnection: close\r\n\r\n"),
        brotliCompressSync("{}"),
      ]),
    ],
  ])("of %s has no commands", async (_what, bytes) => {
    expect((await exchange({ bytes })).attempts).toBe(1);
  });

  it.each([
    [
      "compress",
      gzipSync(ANSWER),
      /the content encoding "compress": only gzip, x-gzip, deflate, br, zstd are known here/,
    ],
    ["gzip, dcb", gzipSync(ANSWER), /the content encoding "dcb"/],
    ["gzip", ANSWER, /a body that is not the gzip that its Content-Encoding says/],
    ["br", ANSWER, /not the br /],
    ["deflate", ANSWER, /not the deflate /],
    ["zstd", ANSWER, /not the zstd /],
    ["gzip", gzipSync(ANSWER).subarray(0, -1), /not the gzip .* or is cut short/],
    ["br", brotliCompressSync(ANSWER).subarray(0, -1), /not the br .* or is cut short/],
    ["deflate", deflateSync(ANSWER).subarray(0, -1), /not the deflate .* or is cut short/],
    ["zstd", zstdCompressSync(ANSWER).subarray(0, -1), /not the zstd .* or is cut short/],
    ["gzip, gzip, gzip, gzip, gzip", gzipSync(ANSWER), /more than 4 content encodings/],
    ["br", gzipSync(ANSWER), /not the br /],
  ])("in %o that can't be read is refused with the reason (%#)", async (coding, body, reason) => {
    expect(await refusalOf(ok(coding, body))).toMatch(reason);
  });

  const [BEGIN, END] = [ANSWER.slice(0, 20), ANSWER.slice(20)];

  it.each([
    ["gzip", gzipSync],
    ["zstd", zstdCompressSync],
  ] as const)("in %s may come in several pieces, as both formats allow", async (coding, compress) => {
    await expectTaken(ok(coding, Buffer.concat([compress(BEGIN), compress(""), compress(END)])));
  });

  it.each([
    ["gzip", gzipSync(ANSWER)],
    ["deflate", deflateSync(ANSWER)],
    ["deflate", deflateRawSync(ANSWER)],
    ["br", brotliCompressSync(ANSWER)],
    ["zstd", zstdCompressSync(ANSWER)],
    ["br, gzip", gzipSync(Buffer.concat([brotliCompressSync(ANSWER), Buffer.alloc(1)]))],
  ])("in %o with something behind its end is refused (%#)", async (coding, body) => {
    for (const [id, behind] of Object.entries({ words: Buffer.from("and more"), zeros: Buffer.alloc(5) })) {
      hotbags.faultFor(({ message_id }) => message_id === id, ok(coding, Buffer.concat([body, behind])));
      await running.takeIn(id);
      const refusal = await until("it is refused", () => linesOf(id)[0]);
      expect(refusal["msg"]).toMatch(/^Hot Bags answered 200 with a body that is not the .*more behind its end/);
    }
    expect((await counts()).commands_pending).toBe(0);
  });

  it.each([
    ["deflate", deflateSync],
    ["br", brotliCompressSync],
  ] as const)("in two pieces of %s, which knows none, is refused", async (coding, compress) => {
    expect(await refusalOf(ok(coding, Buffer.concat([compress(BEGIN), compress(END)])))).toMatch(/a body that is not/);
  });

  it("without a Content-Encoding is refused: nobody said what it is", async () => {
    expect(await refusalOf({ status: 200, body: gzipSync(ANSWER) })).toMatch(/bytes that are not UTF-8/);
  });

  it.each([
    [503, "gzip", /^Hot Bags answered 503: /],
    [422, "compress", /^Hot Bags answered 422: /],
  ])("%i in %s is judged by its status alone", async (status, coding, reason) => {
    await exchange({ status, headers: { "content-encoding": coding }, body: "not compressed at all" });
    const [line] = linesOf("A");
    expect(line).toMatchObject({ status, msg: expect.stringMatching(reason) });
  });
});

describe("a bomb", () => {
  const zeros = Buffer.alloc(200 * MIB);
  const bombIn: Record<string, () => Buffer> = {
    gzip: () => gzipSync(zeros, { level: 1 }),
    br: () => brotliCompressSync(zeros, { params: { [zlib.BROTLI_PARAM_QUALITY]: 1 } }),
    deflate: () => deflateSync(zeros, { level: 1 }),
    zstd: () => zstdCompressSync(zeros),
    "gzip, br": () => brotliCompressSync(gzipSync(zeros, { level: 1 })),
  };
  const blank = (sizeBytes: number) => `${" ".repeat(sizeBytes - 2)}{}`;

  /** The most memory, bytes, that buffers took while this ran. */
  async function buffersOf(run: () => Promise<unknown>): Promise<number> {
    const used = () => process.memoryUsage().arrayBuffers;
    // What a test before this one has left would hide as much that is taken now.
    setFlagsFromString("--expose-gc");
    runInNewContext("gc")();
    const before = used();
    let most = before;
    const watch = setInterval(() => {
      most = Math.max(most, used());
    }, 1);
    await run();
    clearInterval(watch);
    return most - before;
  }

  it.each(Object.keys(bombIn))("of 200 MiB in %s takes no more memory than its limit", async (coding) => {
    const bomb = bombIn[coding]?.() ?? "";
    const taken = await buffersOf(async () => {
      expect(await refusalOf(ok(coding, bomb))).toMatch(/more than 1048576 bytes once unpacked/);
    });
    expect(taken).toBeLessThan(16 * MIB);
  });

  it.each([
    ["zstd", zstdCompressSync],
    ["gzip", gzipSync],
  ] as const)("in many pieces of %s is one", async (coding, compress) => {
    const piece = compress(Buffer.alloc(MIB / 2, " "));
    expect(await refusalOf(ok(coding, Buffer.concat([piece, piece, piece])))).toMatch(/once unpacked/);
  });

  it("in more pieces than anybody sends is not unpacked to the end", async () => {
    const hollow = Buffer.alloc(512 * 1024, zstdCompressSync(""));
    expect(await refusalOf(ok("zstd", hollow))).toMatch(/a body in more than \d+ pieces/);
  });

  it("that begins with a bomb of another kind, and unpacks to nothing, ends there too", async () => {
    const hollow = Buffer.alloc(2 * MIB, gzipSync(""));
    expect(await refusalOf(ok("gzip, gzip", gzipSync(hollow)))).toMatch(/more than 1048576 bytes once unpacked/);
  });

  it("is what has one byte too many, and what has just as many is none", async () => {
    expect((await exchange(ok("gzip", gzipSync(blank(MIB))), "most")).attempts).toBe(1);
    expect(await refusalOf(ok("gzip", gzipSync(blank(MIB + 1))))).toMatch(/once unpacked/);
  });
});

describe("the bytes of an answer", () => {
  const BOM = Buffer.from([0xef, 0xbb, 0xbf]);
  const [BEFORE = "", AFTER = ""] = ANSWER.split("Two");

  it("may begin with a byte order mark", async () => {
    await expectTaken({ status: 200, body: Buffer.concat([BOM, Buffer.from(ANSWER)]) });
  });

  it("may begin with one when they are compressed, too", async () => {
    await expectTaken(ok("gzip", gzipSync(Buffer.concat([BOM, Buffer.from(ANSWER)]))));
  });

  it.each([
    ["Latin-1", Buffer.from(jsonOf(sendText("c1", "café")), "latin1")],
    ["UTF-16", Buffer.from(`\ufeff${ANSWER}`, "utf16le")],
    [
      "UTF-8 but for half a character",
      Buffer.concat([Buffer.from(BEFORE), Buffer.from("👜").subarray(0, 2), Buffer.from(AFTER)]),
    ],
    [
      "half a pair of surrogates in CESU-8",
      Buffer.concat([Buffer.from(BEFORE), Buffer.from([0xed, 0xa0, 0xbd]), Buffer.from(AFTER)]),
    ],
  ])("are refused when they are %s: nothing turns into U+FFFD on the way", async (_what, body) => {
    expect(await refusalOf({ status: 200, body })).toMatch(/bytes that are not UTF-8: encode the JSON as UTF-8/);
  });

  it("keep every character that is UTF-8, U+FFFD too, where Hot Bags wrote it", async () => {
    const text = "café 👜 \u05d0\u0000 \ufffd";
    const { chat } = await exchange({ status: 200, body: jsonOf(sendText("c1", text)) });
    expect((await running.store.commands.nextOf(chat))?.text).toBe(text);
  });
});

describe("before the answer", () => {
  const answer = `HTTP/1.1 200 OK\r\nContent-Length: ${ANSWER.length}\r\nConnection: close\r\n\r\n${ANSWER}`;

  it.each(["HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n", "HTTP/1.1 102 Processing\r\n\r\n"])(
    "may come %o",
    async (early) => {
      await expectTaken({ bytes: early + answer });
    },
  );

  it("an unasked 100 Continue ends the attempt, and says where to switch it off", async () => {
    const { attempts } = await exchange({ bytes: `HTTP/1.1 100 Continue\r\n\r\n${answer}` });
    expect(attempts).toBe(2);
    expect(linesOf("A")[0]).toMatchObject({ msg: expect.stringMatching(/sent 100 Continue unasked.*switch it off/) });
  });
});

describe("an answer without a body", () => {
  it("is an answer when it is a 204", async () => {
    expect((await exchange({ status: 204 })).attempts).toBe(1);
  });

  it.each([
    { status: 200 },
    { status: 201 },
    { status: 202 },
    { status: 200, headers: { "content-encoding": "gzip" } },
    { status: 200, body: Buffer.from([0xef, 0xbb, 0xbf]) },
  ])("is refused with what to do when it is %o", async (fault) => {
    expect(await refusalOf(fault)).toMatch(/an empty body: if there is nothing to do, answer 204, or {}/);
  });
});

describe("a numeric command_id", () => {
  it.each([
    ["1", "1"],
    ["42", "42"],
    ["9007199254740991", "9007199254740991"],
  ])("%s is the id %o", async (number, id) => {
    const { chat } = await exchange({ status: 200, body: ANSWER.replace('"c1"', number) });
    expect(await running.store.commands.nextOf(chat)).toMatchObject({ command_id: id, text: "Two left." });
  });

  it.each([
    "0",
    "-0",
    "-1",
    "1.0",
    "1.5",
    "1e3",
    "0.99999999999999999999",
    "9007199254740990.5",
    "9007199254740992",
    "9007199254740993",
    "1e400",
  ])("%s is refused with the rule, and what stands beside it runs", async (number) => {
    const body = jsonOf(sendText("c0", "first"), sendText("c1"), sendText("c2", "last")).replace('"c1"', number);
    const { chat } = await exchange({ status: 200, body });
    expect(await counts()).toMatchObject({ commands_pending: 2, commands_failed: 1 });
    expect((await running.store.commands.nextOf(chat))?.command_id).toBe("c0");
    const [refused] = linesOf("A").filter(({ alarm }) => alarm === true);
    expect(refused?.["msg"]).toMatch(
      /command_id: as a number it must be a whole one from 1 to 9007199254740991, in digits alone/,
    );
  });

  it("is the same command as its digits in a string, whichever comes first", async () => {
    await exchange({ status: 200, body: jsonOf(sendText(7), sendText("8"), sendText("7"), sendText(8)) }, "A");
    await exchange({ status: 200, body: jsonOf(sendText("7"), sendText(8)) }, "B");
    expect(await counts()).toMatchObject({ commands_pending: 2, commands_failed: 0 });
  });

  it("is refused with another text, as its digits in a string are", async () => {
    await exchange({ status: 200, body: jsonOf(sendText("7")) }, "A");
    await exchange({ status: 200, body: jsonOf(sendText(7, "Three left.")) }, "B");
    expect(await counts()).toMatchObject({ commands_pending: 1, commands_failed: 1 });
  });

  it("is the same for a command of a type that is not known", async () => {
    const sticker = (command_id: unknown) => ({ command_id, type: "send_sticker", sticker: 1.5 });
    await exchange({ status: 200, body: jsonOf(sticker(7)) }, "A");
    await exchange({ status: 200, body: jsonOf(sticker("7")) }, "B");
    expect(await counts()).toMatchObject({ commands_skipped: 1, commands_failed: 0 });
  });
});

it("command_ids that differ in half a pair of surrogates are two, and each is known again", async () => {
  const body = jsonOf(sendText("\ud800", "one"), sendText("\ud801", "two"), sendText("\ufffd", "three"));
  const { chat } = await exchange({ status: 200, body }, "A");
  await exchange({ status: 200, body }, "B");
  expect(await counts()).toMatchObject({ commands_pending: 3, commands_failed: 0 });
  expect((await running.store.commands.nextOf(chat))?.command_id).toMatch(/^\ufffd#[0-9a-f]{32}$/);
});

describe("many commands", () => {
  const many = (length: number) => Array.from({ length }, (_, n) => sendText(`c${n}`));

  it("are all taken up to the limit", async () => {
    expect((await exchange({ status: 200, body: jsonOf(...many(MAX_COMMANDS)) })).attempts).toBe(1);
    expect((await counts()).commands_pending).toBe(MAX_COMMANDS);
  });

  it.each([MAX_COMMANDS + 1, 2_000])("of %i, none is taken", async (number) => {
    const reason = await refusalOf({ status: 200, body: jsonOf(...many(number)) });
    expect(reason).toMatch(new RegExp(`commands: must not have more than ${MAX_COMMANDS} entries`));
  });

  it("that are skipped take one line for each reason, with their ids", async () => {
    const stickers = many(40).map((command) => ({ ...command, type: "send_sticker" }));
    await exchange(
      { status: 200, body: jsonOf(...many(50), ...stickers.map((one, n) => ({ ...one, command_id: `s${n}` }))) },
      "A",
    );
    await exchange({ status: 200, body: jsonOf(...many(50)) }, "B");
    const skipped = running.lines.filter(({ msg }) => /skipped/.test(String(msg)));
    expect(skipped).toEqual([
      expect.objectContaining({
        message_id: "A",
        msg: expect.stringMatching(/^40 commands skipped: the type "send_sticker"/),
      }),
      expect.objectContaining({ message_id: "B", msg: expect.stringMatching(/^50 commands skipped: .*seen before/) }),
    ]);
    expect(skipped[1]?.["command_ids"]).toEqual(many(50).map(({ command_id }) => command_id));
  });
});

it.each(["[", '{"a":'])(
  "an answer that is nested a hundred thousand deep (%o) is refused, and delays nobody else",
  async (open) => {
    const close = open === "[" ? "]" : "}";
    const nested = open.repeat(100_000) + (open === "[" ? "" : "1") + close.repeat(100_000);
    const body = jsonOf({ ...sendText("c1"), type: "send_x", more: "nested" }).replace('"nested"', nested);
    expect(await refusalOf({ status: 200, body })).toMatch(
      open === "[" ? /nested deeper than 32 levels/ : /nested too deep/,
    );
    expect(running.relay.status.breakerOpen).toBe(false);
  },
);

it("a refused answer is never quoted, neither in the log nor in what is kept of it", async () => {
  for (const body of [Buffer.from('{"secret":"caf\xe9"}', "latin1"), "a secret page", '{"commands":"a secret"}'])
    await exchange({ status: 200, body }, `M${String(body).length}`);
  expect(JSON.stringify(running.lines)).not.toMatch(/secret|caf/);
  expect(JSON.stringify(running.lines)).not.toContain(ANNA);
});
