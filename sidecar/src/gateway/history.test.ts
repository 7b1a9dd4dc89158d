import { expect, it } from "vitest";
import { keysIn, sessionKeyOf } from "./history.ts";

it("finds the session of a person and of a group", () => {
  const group = "120363000000000001@g.us";
  expect(sessionKeyOf("main", "default", "+15550001")).toBe("agent:main:whatsapp:direct:+15550001");
  expect(sessionKeyOf("main", "outlet", "+15550001")).toBe("agent:main:whatsapp:direct:+15550001");
  expect(sessionKeyOf("main", "default", group)).toBe(`agent:main:whatsapp:group:${group}`);
  expect(sessionKeyOf("main", "Outlet", group)).toBe(
    `agent:main:whatsapp:group:${group}:thread:whatsapp-account-outlet`,
  );
});

it("takes keys only from rows that OpenClaw wrote after a delivery", () => {
  const messages = [
    { role: "assistant", idempotencyKey: "at-the-top" },
    { role: "assistant", __openclaw: { idempotencyKey: "in-the-metadata" } },
    { role: "user", idempotencyKey: "a customer's message" },
    { role: "assistant", content: [] },
    { role: "assistant", idempotencyKey: 7 },
    "not a row",
  ];
  expect(keysIn({ messages })).toEqual(new Set(["at-the-top", "in-the-metadata"]));
});

it("proves nothing from an answer it cannot read", () => {
  expect(keysIn({ messages: "none" })).toBeNull();
  expect(keysIn(undefined)).toBeNull();
});
