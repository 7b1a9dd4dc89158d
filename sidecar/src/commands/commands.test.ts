import { expect, it } from "vitest";
import { RowUnreadableError } from "../store/index.ts";
import { acceptHeader, callOf, NO_EXTRAS } from "./index.ts";

it("tells Hot Bags what it takes", () => {
  expect(acceptHeader(NO_EXTRAS)).toBe("send_text, pause_chat, resume_chat");
  expect(acceptHeader(new Set(["reply_to"]))).toBe("send_text, pause_chat, resume_chat, reply_to");
});

it("asks the gateway for a text, and for the message that it quotes", () => {
  const reply = { id: 1, type: "send_text", text: "*one*", details: null };
  expect(callOf(reply)).toEqual({ method: "send", params: { message: "&#42;one&#42;" } });
  expect(callOf({ ...reply, details: '{"reply_to":"A1"}' })).toEqual({
    method: "send",
    params: { message: "&#42;one&#42;", replyToId: "A1" },
  });
});

it("takes no details for others than they are", () => {
  const row = { id: 1, text: "one", details: '{"reply_to":7}' };
  expect(() => callOf({ ...row, type: "send_text" })).toThrow(RowUnreadableError);
  expect(() => callOf({ ...row, type: "pause_chat", details: null })).toThrow(RowUnreadableError);
});
