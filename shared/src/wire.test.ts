import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import { maskAddress } from "./address.ts";
import { inboundMessage } from "./message.ts";
import { TESTED, VERSION } from "./version.ts";
import { parseFrame, pluginFrame, sidecarFrame, WIRE_VERSION } from "./wire.ts";

const message = {
  account_id: "default",
  message_id: "3EB0C0FFEE",
  chat_id: "+15550001000",
  from: "+15550001000",
  text: "hello",
  media: [],
  timestamp: "2026-03-01T12:00:00.000Z",
  raw: {},
};
const parse = (frame: unknown) => parseFrame(pluginFrame, typeof frame === "string" ? frame : JSON.stringify(frame));

describe("frames", () => {
  it("reads a message", () => {
    expect(parse({ v: 1, type: "message", ref: 7, message })).toEqual({
      ok: true,
      frame: { v: 1, type: "message", ref: 7, message },
    });
  });

  it.each([
    ["not JSON", "{", "bad_json", null],
    ["no object", "3", "bad_frame", null],
    ["another version", { v: 2, type: "message", ref: 7, message }, "bad_version", 7],
    ["no version", { type: "hello" }, "bad_version", null],
    ["an unknown type", { v: 1, type: "dance" }, "bad_frame", null],
    ["an unknown field", { v: 1, type: "message", ref: 7, message, more: 1 }, "bad_message", 7],
    [
      "a LID as chat",
      { v: 1, type: "message", ref: 7, message: { ...message, chat_id: "12345678@lid" } },
      "bad_message",
      7,
    ],
    [
      "an id that is no header",
      { v: 1, type: "message", ref: 7, message: { ...message, message_id: "a\nb" } },
      "bad_message",
      7,
    ],
  ])("refuses %s", (_what, frame, code, ref) => {
    expect(parse(frame)).toMatchObject({ ok: false, code, ref });
  });

  it("understands the greeting of a later release, which may say more", () => {
    const hello = { v: 1, type: "hello", plugin_version: "9.9.9", openclaw_version: "2030.1.1" };
    const welcome = { v: 1, type: "welcome", sidecar_version: "9.9.9", credit: 1, max_frame_bytes: 1 };
    expect(parse({ ...hello, more: 1 })).toEqual({ ok: true, frame: hello });
    expect(parseFrame(sidecarFrame, JSON.stringify({ ...welcome, more: 1 }))).toEqual({ ok: true, frame: welcome });
  });

  // During an upgrade one side is of the release before. Beyond the greetings it refuses what it does not know, for good: a message with
  // one more field would be a dead letter. So where this differs, WIRE_VERSION has to grow, and messages wait until both
  // are upgraded. A greeting alone may get a field: -u.
  it("are those that every release with this wire version knows", async () => {
    const schemas = [pluginFrame, sidecarFrame].map((schema) => z.toJSONSchema(schema, { io: "input" }));
    await expect(`${JSON.stringify(schemas, null, 1)}\n`).toMatchFileSnapshot(`./wire.v${WIRE_VERSION}.snap`);
  });

  it("never quotes a value in a refusal", () => {
    const parsed = parse({ v: 1, type: "message", ref: 7, message: { ...message, text: 5, from: "secret customer" } });
    expect(JSON.stringify(parsed)).not.toContain("secret");
    expect(parsed).toMatchObject({ reason: expect.stringContaining("message.from") });
  });

  it("carries any text unchanged", () => {
    const text = "\u0000\t مرحبا 👩‍👩‍👧 e\u0301 \ud800";
    const parsed = parse({ v: 1, type: "message", ref: 0, message: { ...message, text } });
    expect(parsed).toMatchObject({ frame: { message: { text } } });
    expect(inboundMessage.parse({ ...message, text }).text).toBe(text);
  });
});

it("masks numbers and groups", () => {
  expect(["+15550001234", "120363000000000001@g.us", "+123", ""].map(maskAddress)).toEqual([
    "+1555…34",
    "1203…01@g.us",
    "…",
    "…",
  ]);
});

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

it("has one version everywhere", () => {
  for (const folder of ["shared", "contract", "plugin", "sidecar", "test", "."])
    expect(JSON.parse(read(`${folder}/package.json`)).version).toBe(VERSION);
});

it("names the OpenClaw that the tests run on, the plugin is built for, and the runbook has installed", () => {
  const { devDependencies, openclaw } = JSON.parse(read("plugin/package.json"));
  expect(devDependencies.openclaw).toBe(TESTED.openclaw);
  expect(openclaw.build.openclawVersion).toBe(TESTED.openclaw);
  expect(JSON.parse(read("test/package.json")).devDependencies.openclaw).toBe(TESTED.openclaw);
  expect(read("pnpm-lock.yaml")).toContain(`\n  openclaw@${TESTED.openclaw}:`);
  const byHand = read("docs/runbook/by-hand.md");
  expect(byHand).toContain(`npm install -g openclaw@${TESTED.openclaw}`);
  expect(byHand).toContain(`openclaw plugins install npm:@openclaw/whatsapp@${TESTED.whatsapp}`);
});
