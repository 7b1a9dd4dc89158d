import { describe, expect, it } from "vitest";
import { responseEnvelope } from "./contract.ts";
import { MAX_DEPTH } from "./depth.ts";
import { inboundMessage } from "./message.ts";
import { describeIssues, parseFrame, pluginFrame } from "./wire.ts";

const arrays = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

const message = (raw: string) =>
  `{"account_id":"default","message_id":"A","chat_id":"+15550001000","from":"+15550001000","text":"","media":[],
    "timestamp":"2026-03-01T12:00:00.000Z","raw":${raw}}`;
const frame = (raw: string) => `{"v":1,"type":"message","ref":7,"message":${message(raw)}}`;

describe("raw", () => {
  it(`goes ${MAX_DEPTH} levels deep`, () => {
    for (const raw of [objects(MAX_DEPTH), `{"a":${arrays(MAX_DEPTH - 1)}}`]) {
      const parsed = parseFrame(pluginFrame, frame(raw));
      expect(parsed).toMatchObject({ ok: true, frame: { message: { raw: JSON.parse(raw) } } });
    }
  });

  it.each([
    ["one more level", objects(MAX_DEPTH + 1)],
    ["2,000 levels of arrays", `{"a":${arrays(2_000)}}`],
    ["half a million levels", `{"a":${arrays(500_000)}}`],
    ["a deep one among many", `{"b":[1,[],{}],"a":[${arrays(40_000)}]}`],
  ])("of %s is refused with what is wrong, and for which message", (_how, raw) => {
    const reason = `message.raw: must not be nested deeper than ${MAX_DEPTH} levels`;
    expect(parseFrame(pluginFrame, frame(raw))).toEqual({ ok: false, code: "bad_message", reason, ref: 7 });
  });

  it.each(["null", "[]", '"text"', "7"])("has to be an object still: %s is none", (raw) => {
    expect(inboundMessage.safeParse(JSON.parse(message(raw))).success).toBe(false);
  });

  it.each([
    ["undefined", { a: { b: [undefined] } }],
    ["a function", { a: () => 1 }],
    ["no finite number", { a: [Number.NaN] }],
    ["a number of another kind", { a: 1n }],
    ["an object of a class", { a: { at: new Date() } }],
  ])("has JSON in it alone: %s is none", (_what, raw) => {
    const parsed = inboundMessage.safeParse({ ...JSON.parse(message("{}")), raw });
    expect(parsed.error && describeIssues(parsed.error)).toBe("raw: must be an object of JSON");
  });

  it("may have all that JSON has", () => {
    const raw = '{"a":[null,true,1.5,"",{"__proto__":{"b":[]}}]}';
    const parsed = inboundMessage.parse(JSON.parse(message(raw)));
    expect(JSON.stringify(parsed.raw)).toBe(raw);
  });

  it("has to be there", () => {
    const { raw: _, ...without } = JSON.parse(message("{}"));
    expect(inboundMessage.safeParse(without).success).toBe(false);
  });
});

it.each([
  ["a command", `{"commands":[${arrays(500_000)}]}`],
  ["a field that nobody knows", `{"more":${objects(20_000)}}`],
])("an answer of Hot Bags with %s that is too deep breaks the contract", (_what, answer) => {
  const parsed = responseEnvelope.safeParse(JSON.parse(answer));
  expect(parsed.error && describeIssues(parsed.error)).toBe(`it: must not be nested deeper than ${MAX_DEPTH} levels`);
});
