/** Before the hex digits in `X-HotBags-Signature`. */
const SCHEME = "sha256=";

/** Of HMAC-SHA256. */
const DIGEST_BYTES = 32;

/**
 * Whether a request's `X-HotBags-Signature` is that of its body. `rawBody` is what came over the wire, before any
 * JSON.parse: `await request.text()`, or its bytes. `secret`: HOTBAGS_HMAC_SECRET; or several, of which one must fit,
 * while one takes the place of another. Compares in constant time, by the Web Crypto API: on Node, Deno and the edge.
 */
export async function verifySignature(
  rawBody: string | Uint8Array,
  signature: string | readonly string[] | null | undefined,
  secret: string | readonly string[],
): Promise<boolean> {
  const given = typeof signature === "string" ? digestIn(signature) : undefined;
  if (!given) return false;
  const body = bytesOf(rawBody);
  const checks = [secret]
    .flat()
    .map(async (one) => crypto.subtle.verify("HMAC", await keyOf(one, "verify"), given, body));
  return (await Promise.all(checks)).includes(true);
}

/** The value of `X-HotBags-Signature` for a body: for tests of one's own. */
export async function sign(rawBody: string | Uint8Array, secret: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", await keyOf(secret, "sign"), bytesOf(rawBody)));
  return SCHEME + Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * As the Web Crypto API takes them. Its types refuse a `Buffer`, since that could be shared memory; a body that came over
 * the wire never is.
 */
function bytesOf(body: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return typeof body === "string" ? new TextEncoder().encode(body) : (body as Uint8Array<ArrayBuffer>);
}

/** Throws where the secret is empty: everybody could sign with it. */
function keyOf(secret: string, use: "sign" | "verify") {
  if (secret === "") throw new Error("the secret of the signature is empty");
  return crypto.subtle.importKey("raw", new TextEncoder().encode(secret), { name: "HMAC", hash: "SHA-256" }, false, [
    use,
  ]);
}

function digestIn(signature: string): Uint8Array<ArrayBuffer> | undefined {
  const hex = signature.slice(SCHEME.length);
  if (!signature.startsWith(SCHEME) || !/^[0-9a-f]+$/.test(hex) || hex.length !== 2 * DIGEST_BYTES) return undefined;
  return Uint8Array.from({ length: DIGEST_BYTES }, (_, n) => Number.parseInt(hex.slice(2 * n, 2 * n + 2), 16));
}
