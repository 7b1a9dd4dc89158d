import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { Notice } from "./notice.ts";
import { FORMATS, type Format, formatFor, postOf } from "./webhook-formats.ts";

const STARTED: Notice = {
  ...{ id: "logged_out-1-default", kind: "logged_out", state: "started", severity: "critical" },
  title: "WhatsApp is logged out (läden)",
  text: "The phone has logged this device out. <!channel> @everyone & more",
  since: "2026-03-03T01:24:40.000Z",
  details: { account: "läden", text: "not the text" },
};
const OVER: Notice = { ...STARTED, state: "over", title: "Over: WhatsApp is logged out", text: "Over after 12 min." };
const LONG: Notice = { ...STARTED, text: "👩‍🚀 long ".repeat(20_000) };

/** What each service checks of a request, as its documentation says; unknown fields are refused where it may refuse them. */
const DOUBLES: Record<Format, (headers: Readonly<Record<string, string>>, body: string) => string> = {
  json: (headers, body) => ofJson(headers, body, z.looseObject({ text: z.string().min(1) })).text,
  // docs.slack.dev/messaging/sending-messages-using-incoming-webhooks: `invalid_payload`, `no_text`, 40,000 characters.
  slack: (headers, body) => {
    const { text } = ofJson(headers, body, z.strictObject({ text: z.string().min(1).max(40_000) }));
    expect(text).not.toMatch(/<[!@#]/);
    return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
  },
  // developers.mattermost.com/integrate/webhooks/incoming: 16,383 characters in a post.
  mattermost: (headers, body) => ofJson(headers, body, z.strictObject({ text: z.string().min(1).max(16_383) })).text,
  // discord.com/developers/docs/resources/webhook#execute-webhook: 50006 "Cannot send an empty message", 2,000 characters.
  discord: (headers, body) => {
    const allowed = z.strictObject({ parse: z.array(z.string()).max(0) });
    const message = z.strictObject({ content: z.string().min(1).max(2_000), allowed_mentions: allowed });
    return ofJson(headers, body, message).content;
  },
  // learn.microsoft.com: what "Post to a channel when a webhook request is received" takes; 28 KB.
  teams: (headers, body) => {
    const block = z.strictObject({
      type: z.literal("TextBlock"),
      text: z.string().min(1),
      wrap: z.boolean(),
      weight: z.literal("Bolder").optional(),
      color: z.enum(["Attention", "Warning", "Good"]).optional(),
    });
    const content = z.strictObject({
      $schema: z.literal("http://adaptivecards.io/schemas/adaptive-card.json"),
      type: z.literal("AdaptiveCard"),
      version: z.string(),
      body: z.array(block),
    });
    const attachment = z.strictObject({
      contentType: z.literal("application/vnd.microsoft.card.adaptive"),
      contentUrl: z.null(),
      content,
    });
    const message = z.strictObject({ type: z.literal("message"), attachments: z.array(attachment).length(1) });
    expect(Buffer.byteLength(body)).toBeLessThan(28 * 1024);
    return ofJson(headers, body, message).attachments[0]?.content.body[1]?.text ?? "";
  },
  // docs.ntfy.sh/publish: more than 4,096 bytes become an attachment; priorities 1 to 5.
  ntfy: (headers, body) => {
    expect(headers["title"]).toMatch(/^[\x20-\x7e]+$/);
    expect(headers["priority"]).toMatch(/^[1-5]$/);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(4_096);
    return body;
  },
};

function ofJson<T>(headers: Readonly<Record<string, string>>, body: string, schema: z.ZodType<T>): T {
  expect(headers["content-type"]).toBe("application/json");
  return schema.parse(JSON.parse(body));
}

describe.each(FORMATS)("%s", (format) => {
  const taken = (notice: Notice) => {
    const { headers, body } = postOf(format, notice);
    return DOUBLES[format](headers, body);
  };

  it("is taken, with the whole text", () => {
    expect(taken(STARTED)).toContain(STARTED.text);
    expect(taken(OVER)).toContain("Over after 12 min.");
  });

  it("is cut where it is too long, between two characters", () => {
    if (format === "json") return;
    const text = taken(LONG);
    expect(text).toMatch(/…$/);
    expect(text.isWellFormed()).toBe(true);
    expect(text).not.toContain("\ufffd");
  });
});

it.each([
  ["https://hooks.slack.com/services/T0/B0/x", "slack"],
  ["https://discord.com/api/webhooks/1/x", "discord"],
  ["https://discordapp.com/api/webhooks/1/x", "discord"],
  ["https://discord.com/api/webhooks/1/x/slack", "slack"],
  ["https://shop.webhook.office.com/webhookb2/x", "teams"],
  ["https://prod-1.westeurope.logic.azure.com/workflows/x?sig=y", "teams"],
  ["https://default1.2.environment.api.powerplatform.com/powerautomate/x", "teams"],
  ["https://ntfy.sh/shop", "ntfy"],
  ["https://alerts.example/hook", "json"],
  ["https://notslack.com/x", "json"],
])("knows by its host what %s takes", (url, format) => {
  expect(formatFor(new URL(url))).toBe(format);
});

it("lets no detail take the place of what every notice has", () => {
  expect(JSON.parse(postOf("json", STARTED).body)).toMatchObject({ text: STARTED.text, account: "läden" });
});
