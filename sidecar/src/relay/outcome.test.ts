import { describe, expect, it } from "vitest";
import { outcomeOf } from "./outcome.ts";

const kindOf = (status: number, body = "") => outcomeOf(status, body, undefined).kind;

describe("what an answer of Hot Bags means", () => {
  it.each([408, 425, 429, 500, 502, 503, 504, 599])("%i is the backend's trouble", (status) => {
    expect(outcomeOf(status, "", 5_000)).toMatchObject({ kind: "backend", retryAfterMs: 5_000 });
  });

  it.each([400, 404, 409, 413, 422])("%i is the message's trouble", (status) => {
    expect(kindOf(status)).toBe("message");
  });

  it.each([401, 403, 301, 307, 308])("%i needs the operator at once", (status) => {
    expect(outcomeOf(status, "", undefined)).toMatchObject({ kind: "backend", alarm: true });
  });

  it.each([
    "",
    "<html>",
    "null",
    "[]",
    '"ok"',
    '{"commands":{}}',
    '{"commands":[{"command_id":"a","type":"send_text","te',
    `{"commands":[${"[".repeat(50_000)}${"]".repeat(50_000)}]}`,
  ])("a 200 with %o breaks the contract", (body) => {
    expect(kindOf(200, body)).toBe("message");
  });

  it.each([
    [200, "{}"],
    [200, '{"commands":[]}'],
    [201, '{"ok":true}'],
    [204, ""],
  ])("%i with %o is an answer without commands", (status, body) => {
    expect(outcomeOf(status, body, undefined)).toMatchObject({ kind: "answered", commands: [] });
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
    const outcome = outcomeOf(200, body, undefined);
    if (outcome.kind !== "answered") throw new Error(outcome.error);
    expect(outcome.commands.map(({ commandId, text, refusal }) => [commandId, text, refusal?.state ?? "run"])).toEqual([
      ["a", "one", "run"],
      ["b", null, "skipped"],
      [null, null, "failed"],
      ["d", null, "failed"],
      [null, null, "failed"],
      ["f", "six", "run"],
    ]);
    expect(outcome.commands[2]?.refusal?.reason).toContain("command_id");
    expect(outcome.commands[3]?.refusal?.reason).toContain("text must not be empty");
  });

  it("never quotes the body in an error", () => {
    const outcome = outcomeOf(200, '{"commands":"the customer said hello"}', undefined);
    expect(JSON.stringify(outcome)).not.toContain("hello");
  });
});
