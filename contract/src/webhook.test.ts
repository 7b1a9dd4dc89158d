import type { IncomingHttpHeaders } from "node:http";
import { Webhook } from "standardwebhooks";
import { expect, it } from "vitest";
import { signWebhook, verifyWebhook } from "./webhook.ts";

// The official package is the measure: what it signs is taken, and what is signed here it takes.

const [SECRET, OTHER] = ["a", "b"].map((letter) => `whsec_${btoa(letter.repeat(32))}`) as [string, string];
const BODY = '{"text":"grüße 👋"}';
const AT = Date.parse("2026-03-01T12:00:00.000Z");
const official = (secret: string, id = "A1", body = BODY, at = AT) => ({
  ...{ "webhook-id": id, "webhook-timestamp": String(Math.floor(at / 1_000)) },
  "webhook-signature": new Webhook(secret).sign(id, new Date(at), body),
});
const verify = (headers: object, body: string | Uint8Array = BODY, secret: string | string[] = SECRET) =>
  verifyWebhook(body, new Headers({ ...headers }), secret, { now: AT });

it("makes what the official package makes", async () => {
  expect(await signWebhook("A1", BODY, SECRET, AT)).toEqual(official(SECRET));
  const headers = await signWebhook("A1", BODY, [OTHER, SECRET]);
  expect(new Webhook(SECRET).verify(BODY, { ...headers })).toEqual(JSON.parse(BODY));
});

it.each<[string, string | Uint8Array]>([
  ["a text", BODY],
  ["its bytes", new TextEncoder().encode(BODY)],
  ["what node:http reads", Buffer.concat([Buffer.from(BODY)])],
])("takes what it has signed, of %s", async (_, body) => {
  expect(await verify(official(SECRET), body)).toBe(true);
});

it("takes the headers of node:http as they are, and none that is there twice", async () => {
  const headers: IncomingHttpHeaders = { host: "shop.example", ...official(SECRET) };
  expect(await verifyWebhook(BODY, headers, SECRET, { now: AT })).toBe(true);
  const twice = { ...headers, "webhook-id": ["A1", "A1"] };
  expect(await verifyWebhook(BODY, twice, SECRET, { now: AT })).toBe(false);
});

it("takes one of several signatures, by one of several secrets", async () => {
  const both = `${official(OTHER)["webhook-signature"]} ${official(SECRET)["webhook-signature"]}`;
  expect(await verify({ ...official(SECRET), "webhook-signature": both })).toBe(true);
  expect(await verify({ ...official(SECRET), "webhook-signature": `v1a,AAAA ${both}` })).toBe(true);
  expect(await verify(official(SECRET), BODY, [OTHER, SECRET])).toBe(true);
});

it.each([
  ["of another body", official(SECRET, "A1", `${BODY} `)],
  ["of another id", { ...official(SECRET), "webhook-id": "A2" }],
  ["of another time", { ...official(SECRET), "webhook-timestamp": String(AT / 1_000 + 1) }],
  ["with another secret", official(OTHER)],
  ["that is more than five minutes old", official(SECRET, "A1", BODY, AT - 301_000)],
  ["that is of the future", official(SECRET, "A1", BODY, AT + 301_000)],
  ["whose time is none", { ...official(SECRET), "webhook-timestamp": "now" }],
  ["without its version", { ...official(SECRET), "webhook-signature": official(SECRET)["webhook-signature"].slice(3) }],
  ["that is no base64", { ...official(SECRET), "webhook-signature": "v1,no base64!" }],
  ["that is cut", { ...official(SECRET), "webhook-signature": official(SECRET)["webhook-signature"].slice(0, -4) }],
  ["that is empty", { ...official(SECRET), "webhook-signature": "" }],
  ["that is not there", {}],
])("refuses one %s", async (_, headers) => {
  expect(await verify(headers)).toBe(false);
});

it.each(["", "whsec_", "secret", `whsec_${btoa("short")}`, "whsec_no base64!"])(
  "takes no secret such as %j",
  async (secret) => {
    await expect(verify(official(SECRET), BODY, secret)).rejects.toThrow("whsec_");
    await expect(signWebhook("A1", BODY, secret)).rejects.toThrow("whsec_");
  },
);
