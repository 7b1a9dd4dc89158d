import { describe, expect, it } from "vitest";
import { RowUnreadableError } from "../store/index.ts";
import { acceptHeader, callOf, EXTRAS, NO_EXTRAS, readCommand, sourceOf, UnsendableError } from "./index.ts";

const ALL = new Set(EXTRAS);

it("tells Hot Bags what it takes", () => {
  expect(acceptHeader(NO_EXTRAS)).toBe("send_text, pause_chat, resume_chat");
  expect(acceptHeader(new Set(["react", "reply_to"]))).toBe("send_text, pause_chat, resume_chat, reply_to, react");
});

/** What the gateway is asked for, once the command was kept and read again. */
function callFor(
  command: object,
  { chat_id = "+15550001001", file = null as { bytes: Buffer; type: string } | null } = {},
) {
  const { refusal, type, text, details = null, file: own } = readCommand({ command_id: "a", ...command }, ALL);
  if (refusal) throw new Error(refusal.reason);
  const reply = { id: 1, type: type ?? "", text: text ?? "", details, chat_id, message_id: "ANSWERED" };
  return callOf(reply, own ? { bytes: own, type: "" } : file);
}
const refusalOf = (command: object) => readCommand({ command_id: "a", ...command }, ALL).refusal?.reason;

it("asks the gateway for a text, and for the message that it quotes", () => {
  expect(callFor({ type: "send_text", text: "*one*" })).toEqual({
    method: "send",
    params: { message: "&#42;one&#42;" },
  });
  expect(callFor({ type: "send_text", text: "*one*", reply_to: "A1" })).toEqual({
    method: "send",
    params: { message: "&#42;one&#42;", replyToId: "A1" },
  });
});

it("takes no details for others than they are", () => {
  const row = { id: 1, text: "one", chat_id: "+15550001001", message_id: "ANSWERED" };
  const details = '{"reply_to":7}';
  expect(() => callOf({ ...row, details, type: "send_text" }, null)).toThrow(RowUnreadableError);
  expect(() => callOf({ ...row, details: null, type: "pause_chat" }, null)).toThrow(RowUnreadableError);
  expect(() => callOf({ ...row, details: null, type: "send_media" }, null)).toThrow(RowUnreadableError);
  expect(() => sourceOf({ ...row, details, type: "send_media" })).toThrow(RowUnreadableError);
});

describe("send_media", () => {
  const data_base64 = Buffer.from("a picture").toString("base64");
  const picture = { type: "send_media", data_base64, mime_type: "image/jpeg" };

  it("asks the gateway for a file with its caption", () => {
    expect(callFor({ ...picture, file_name: "a bag.jpg", caption: "Two left.", reply_to: "A1" })).toEqual({
      method: "send",
      params: {
        message: "&#84;wo left.",
        buffer: data_base64,
        contentType: "image/jpeg",
        filename: "a bag.jpg",
        replyToId: "A1",
      },
    });
    const params = { buffer: data_base64, contentType: "image/jpeg" };
    expect(callFor(picture)).toEqual({ method: "send", params });
  });

  it("takes the type of what a URL led to, unless the command has one", () => {
    const file = { bytes: Buffer.from("?"), type: "application/pdf" };
    const byUrl = { type: "send_media", url: "https://shop.example/a" };
    const typeFor = (command: object) => callFor(command, { file }).params["contentType"];
    expect([typeFor(byUrl), typeFor({ ...byUrl, mime_type: "Image/PNG" })]).toEqual(["application/pdf", "image/png"]);
    const audio = { file: { ...file, type: "audio/mpeg" } };
    expect(() => callFor(byUrl, audio)).toThrow(UnsendableError);
    expect(() => callFor({ ...byUrl, caption: "hi" }, { file: { ...file, type: "audio/ogg" } })).toThrow(/no caption/);
  });

  it.each<[string, object, string]>([
    ["nothing to send", { data_base64: undefined }, "one of url and data_base64"],
    ["two files", { url: "https://shop.example/a" }, "one of url and data_base64"],
    ["no type", { mime_type: undefined }, "mime_type must be there"],
    ["what OpenClaw would have to convert", { mime_type: "audio/mpeg" }, "the file's type must be"],
    ["what phones don't show", { mime_type: "image/heic" }, "the file's type must be"],
    ["a voice message with a caption", { mime_type: "audio/ogg", caption: "hi" }, "no caption"],
    ["no base64", { data_base64: "?" }, "data_base64 must be base64"],
    ["a long caption", { caption: "x".repeat(1_025) }, "caption must not be longer"],
    ["a path for a name", { file_name: "../a" }, "file_name must have no slash"],
    ["a URL in the clear", { data_base64: undefined, url: "http://shop.example/a" }, "url must be https"],
    ["a URL with a password", { data_base64: undefined, url: "https://a:b@shop.example/" }, "url must be https"],
    ["a file of this machine", { data_base64: undefined, url: "file:///etc/passwd" }, "url must be https"],
  ])("refuses %s", (_what, change, reason) => {
    expect(refusalOf({ ...picture, ...change })).toContain(reason);
  });
});

describe("react", () => {
  it("asks for an emoji on the message that is answered, or on another one", () => {
    const call = (messageId: string, emoji: string) => ({
      method: "message.action",
      action: "react",
      params: { messageId, emoji },
    });
    expect(callFor({ type: "react", emoji: "👍" })).toEqual(call("ANSWERED", "👍"));
    expect(callFor({ type: "react", emoji: "", message_id: "A1" })).toEqual(call("A1", ""));
  });

  it("is for direct chats", () => {
    const inGroup = { chat_id: "120363000000000001@g.us" };
    expect(() => callFor({ type: "react", emoji: "👍" }, inGroup)).toThrow(UnsendableError);
  });

  it.each(["👍", "👍🏽", "❤️", "❤", "👩‍👩‍👧", "🇩🇪", "1️⃣"])("takes %s", (emoji) => {
    expect(refusalOf({ type: "react", emoji })).toBeUndefined();
  });

  it.each(["hello", "👍👍", " ", "1", "👍 ok"])("refuses %j", (emoji) => {
    expect(refusalOf({ type: "react", emoji })).toContain("must be one emoji");
  });
});

it("knows none of it where the operator has not switched it on", () => {
  for (const type of ["send_media", "react"])
    expect(readCommand({ command_id: "a", type }, NO_EXTRAS).refusal).toMatchObject({
      state: "skipped",
      reason: `the type "${type}" is switched off here (HOTBAGS_COMMANDS, X-HotBags-Accept)`,
    });
});
