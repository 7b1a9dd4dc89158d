import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ask, begin, dir, end } from "../../../test/sidecar/open-console.ts";

beforeEach(begin);
afterEach(end);

describe("the page", () => {
  const SCRIPT = "console.log(1);".repeat(100);

  const build = () => {
    mkdirSync(join(dir, "page/assets"), { recursive: true });
    writeFileSync(join(dir, "page/index.html"), "<!doctype html><title>console</title>");
    writeFileSync(join(dir, "page/assets/app-0123abcd.js"), SCRIPT);
    writeFileSync(join(dir, "page/assets/app-0123abcd.js.gz"), gzipSync(SCRIPT));
    writeFileSync(join(dir, "page/assets/app-0123abcd.js.br"), "as brotli");
  };

  it("says so while it was not built, and is there once it was", async () => {
    const before = await ask("GET", "/");
    expect([before.status, before.body]).toEqual([503, expect.stringContaining("npm run build")]);
    build();
    const after = await ask("GET", "/");
    expect([after.status, after.body, after.headers["cache-control"]]).toEqual([
      200,
      expect.stringContaining("<title>"),
      "no-cache",
    ]);
  });

  it("may run nothing but its own scripts, and stand in no other page", async () => {
    build();
    const { headers } = await ask("GET", "/");
    expect(headers["content-security-policy"]).toMatch(/^default-src 'none'; script-src 'self'; style-src 'self';/);
    expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
    expect(headers["content-security-policy"]).not.toContain("unsafe");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  });

  it.each([
    ["br, gzip", "br", "as brotli"],
    ["gzip, br;q=0", "gzip", undefined],
    ["gzip;q=0.5", "gzip", undefined],
    ["identity", undefined, SCRIPT],
    [undefined, undefined, SCRIPT],
  ])("gives its hashed parts once and for all, for accept-encoding %s as %s", async (accepted, encoding, body) => {
    build();
    const answer = await ask("GET", "/assets/app-0123abcd.js", { headers: { "accept-encoding": accepted } });
    expect(answer.headers).toMatchObject({
      "cache-control": "public, max-age=31536000, immutable",
      "content-type": "text/javascript; charset=utf-8",
      vary: "accept-encoding",
    });
    expect(answer.headers["content-encoding"]).toBe(encoding);
    if (body !== undefined) expect(answer.body).toBe(body);
  });

  it("is all that there is: no path leads anywhere else", async () => {
    build();
    const paths = [
      ...[
        "/../bridge.sqlite",
        "/..%2fbridge.sqlite",
        "/assets/../../bridge.sqlite",
        "/assets/%2e%2e/%2e%2e/bridge.sqlite",
      ],
      ...["/..\\bridge.sqlite", "/assets/app-0123abcd.js.gz", "//etc/passwd", "/%00", "/__proto__"],
    ];
    for (const path of paths) {
      expect([path, (await ask("GET", path)).status]).toEqual([path, 404]);
      expect([path, (await ask("POST", path)).status]).toEqual([path, 405]);
    }
  });
});
