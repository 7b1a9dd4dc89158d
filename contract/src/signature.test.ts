import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { sign, verifySignature } from "./signature.ts";

const SECRET = "the secret of the test";
const BODY = '{"text":"grüße 👋"}';
const hmac = (body: string | Uint8Array, secret = SECRET) =>
  `sha256=${createHmac("sha256", secret).update(body).digest("hex")}`;

it.each<[string, string | Uint8Array]>([
  ["a text", BODY],
  ["its bytes", new TextEncoder().encode(BODY)],
  ["what node:http reads", Buffer.concat([Buffer.from(BODY)])],
  ["nothing", ""],
  ["4.5 MB", "x".repeat(4_500_000)],
])("knows the signature of %s, and makes the same", async (_, body) => {
  expect(await verifySignature(body, hmac(body), SECRET)).toBe(true);
  expect(await sign(body, SECRET)).toBe(hmac(body));
});

it.each([
  ["of another body", hmac(`${BODY} `)],
  ["with another secret", hmac(BODY, "other")],
  ["in capitals", hmac(BODY).toUpperCase()],
  ["without its scheme", hmac(BODY).slice("sha256=".length)],
  ["of another scheme", hmac(BODY).replace("sha256", "sha512")],
  ["that is cut", hmac(BODY).slice(0, -2)],
  ["with more behind it", `${hmac(BODY)}00`],
  ["that is none", "sha256=nonsense"],
  ["that is empty", ""],
  ["that is not there", null],
  ["that node:http has not seen", undefined],
  ["that is there twice", [hmac(BODY), hmac(BODY)]],
])("refuses one %s", async (_, signature) => {
  expect(await verifySignature(BODY, signature, SECRET)).toBe(false);
});

it("takes either of two secrets, while one takes the place of the other", async () => {
  for (const secret of ["old", "new"])
    expect(await verifySignature(BODY, hmac(BODY, secret), ["old", "new"])).toBe(true);
  expect(await verifySignature(BODY, hmac(BODY, "older"), ["old", "new"])).toBe(false);
});

it("takes no empty secret: everybody has that one", async () => {
  await expect(verifySignature(BODY, hmac(BODY, "x"), "")).rejects.toThrow("empty");
  await expect(verifySignature(BODY, hmac(BODY), [SECRET, ""])).rejects.toThrow("empty");
});
