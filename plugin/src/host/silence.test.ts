import { expect, test } from "vitest";
import { silence } from "./silence.ts";

test("whatever OpenClaw itself would say on WhatsApp is cancelled, and other channels are left alone", () => {
  expect(silence({ channel: "whatsapp" }, { channelId: "whatsapp" })).toMatchObject({ cancel: true });
  expect(silence({}, { channelId: "whatsapp" })).toMatchObject({ cancel: true });
  expect(silence({ channel: "telegram" }, { channelId: "telegram" })).toBeUndefined();
});
