import { describe, expect, it } from "vitest";
import { type Extras, NO_EXTRAS } from "../commands/index.ts";
import { readCommands } from "./outcome.ts";

const read = (status: number, body: string, type = "application/json", extras = NO_EXTRAS) =>
  readCommands(status, body, type, extras);

describe("the body of a 2xx", () => {
  it.each([
    ["contract", ""],
    ["contract", "ok"],
    ["contract", "null"],
    ["contract", "[]"],
    ["contract", '"ok"'],
    ["contract", "true"],
    ["contract", '{"commands":{}}'],
    ["contract", '{"commands":null}'],
    ["contract", '{"commands":[{"command_id":"a","type":"send_text","te'],
    ["contract", `{"commands":[${"[".repeat(50_000)}${"]".repeat(50_000)}]}`],
    ["page", "<html>"],
    ["page", "\n <!DOCTYPE html><title>Vercel</title>"],
    ["failure", '{"success":false}'],
    ["failure", '{"ok":false,"message":"no"}'],
    ["failure", '{"error":"relation does not exist"}'],
    ["failure", '{"error":{"code":"42P01"}}'],
    ["failure", '{"errors":[{"message":"no"}]}'],
  ])("is refused as %s when it is %o", (trouble, body) => {
    expect(read(200, body)).toMatchObject({ ok: false, trouble });
  });

  it("is a web page by its Content-Type, whatever stands in it", () => {
    expect(read(200, "{}", "text/html; charset=utf-8")).toMatchObject({ ok: false, trouble: "page" });
  });

  it.each([
    [200, "{}"],
    [200, '{"commands":[]}'],
    [200, '{"commands":[],"of_tomorrow":{"a":[1]}}'],
    [201, '{"ok":true}'],
    [200, '{"success":true,"error":null}'],
    [200, '{"errors":[],"error":""}'],
    [200, '{"success":true,"errors":{},"error":0}'],
    [200, '{"success":false,"commands":[]}'],
    [204, ""],
  ])("of %i and %o is an answer without commands", (status, body) => {
    expect(read(status, body)).toMatchObject({ ok: true, commands: [] });
  });

  it("keeps the array's order and judges each command alone", () => {
    const body = JSON.stringify({
      commands: [
        { command_id: "a", type: "send_text", text: "one", extra: 1 },
        { command_id: "b", type: "send_sticker", sticker: 7 },
        { type: "send_text", text: "no id" },
        { command_id: "d", type: "send_text", text: "  " },
        null,
        { command_id: "f", type: "send_text", text: "six" },
      ],
    });
    const reading = read(200, body);
    if (!reading.ok) throw new Error(reading.what);
    expect(reading.commands.map(({ commandId, text, refusal }) => [commandId, text, refusal?.state ?? "run"])).toEqual([
      ["a", "one", "run"],
      ["b", null, "skipped"],
      [null, null, "failed"],
      ["d", null, "failed"],
      [null, null, "failed"],
      ["f", "six", "run"],
    ]);
    expect(reading.commands[2]?.refusal?.reason).toContain("command_id");
    expect(reading.commands[3]?.refusal?.reason).toContain("text must not be empty");
  });

  it("may pause its chat for up to a week, and let it go on", () => {
    const pause = (more: object) => ({ command_id: "p", type: "pause_chat", ...more });
    const commands = [
      pause({ for_seconds: 7_200 }),
      pause({ for_seconds: 604_800, replies: "skip" }),
      { command_id: "r", type: "resume_chat" },
      ...[{}, { for_seconds: 0 }, { for_seconds: 604_801 }, { for_seconds: 1.5 }, { for_seconds: "60" }].map(pause),
      pause({ for_seconds: 60, replies: "drop" }),
      { type: "resume_chat" },
    ];
    const reading = read(200, JSON.stringify({ commands }));
    if (!reading.ok) throw new Error(reading.what);
    expect(reading.commands.map(({ order, refusal }) => order ?? refusal?.reason)).toEqual([
      { kind: "pause", forMs: 7_200_000, replies: "hold" },
      { kind: "pause", forMs: 604_800_000, replies: "skip" },
      { kind: "resume" },
      ...Array(5).fill(expect.stringContaining("for_seconds must be a whole number from 1 to 604800")),
      expect.stringContaining('replies: must be "hold" or "skip"'),
      expect.stringContaining("command_id"),
    ]);
  });

  it("is never quoted in a reason", () => {
    expect(JSON.stringify(read(200, '{"commands":"the customer said hello"}'))).not.toContain("hello");
    expect(JSON.stringify(read(200, '{"error":"the customer said hello"}'))).not.toContain("hello");
  });
});

describe("what only some bridges take", () => {
  /** The one command of an answer, as a bridge with these extras reads it. */
  const readOne = (command: object, ...extras: Parameters<Extras["has"]>[0][]) => {
    const commands = [{ command_id: "a", ...command }];
    const reading = read(200, JSON.stringify({ commands }), undefined, new Set(extras));
    if (!reading.ok || !reading.commands[0]) throw new Error("no command");
    return reading.commands[0];
  };

  it("is ignored by the others: a field as if it were not there, whatever it holds", () => {
    const plain = readOne({ type: "send_text", text: "one" });
    for (const reply_to of ["A1", 7, ""]) expect(readOne({ type: "send_text", text: "one", reply_to })).toEqual(plain);
    expect(readOne({ type: "send_text", text: "one" }, "reply_to")).toEqual(plain);
  });

  it("may have a text quote a message; that is another command than the text alone", () => {
    const plain = readOne({ type: "send_text", text: "one" }, "reply_to");
    const quoting = readOne({ type: "send_text", text: "one", reply_to: "A1" }, "reply_to");
    expect(quoting).toMatchObject({ text: "one", details: '{"reply_to":"A1"}', refusal: null });
    expect(quoting.payload).not.toBe(plain.payload);
    const refused = readOne({ type: "send_text", text: "one", reply_to: 7 }, "reply_to").refusal;
    expect(refused).toMatchObject({
      state: "failed",
      reason: expect.stringContaining("reply_to must be a message_id"),
    });
  });
});

it("counts a text's characters as JavaScript does: most emoji are two", () => {
  const refusalOf = (text: string) => {
    const reading = read(200, JSON.stringify({ commands: [{ command_id: "a", type: "send_text", text }] }));
    return reading.ok && reading.commands[0]?.refusal;
  };
  expect(refusalOf("👜".repeat(32_768))).toBeNull();
  // In one sentence, whichever way it is too long.
  const reason = "not a valid command: text: text must not be longer than 65536 characters";
  for (const text of ["👜".repeat(32_769), "&".repeat(65_537)])
    expect(refusalOf(text)).toMatchObject({ state: "failed", reason });
});
