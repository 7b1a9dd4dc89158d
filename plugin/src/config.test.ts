import { expect, test } from "vitest";
import { parseConfig } from "./config.ts";

const token = "s3cret";

test.each([
  [undefined, "ws://127.0.0.1:18790/"],
  ["ws://127.0.0.1:9999", "ws://127.0.0.1:9999/"],
  ["ws://localhost:9999/", "ws://localhost:9999/"],
  ["ws://[::1]:9999", "ws://[::1]:9999/"],
  ["unix:/run/hotbags/bridge.sock", "ws+unix:/run/hotbags/bridge.sock:/"],
])("sidecarUrl %s is dialled as %s", (sidecarUrl, url) => {
  expect(parseConfig({ sidecarUrl, token })).toEqual({ ok: true, config: { url, token } });
});

test.each([
  "ws://10.0.0.1:18790",
  "ws://127.0.0.1.example.com:1",
  "wss://127.0.0.1:1",
  "http://127.0.0.1:1",
  "ws://user:pw@127.0.0.1:1",
  "unix:relative",
  "unix:/a:b",
  "",
  "not a url",
])("sidecarUrl %j is refused, by its full name and with what to write", (sidecarUrl) => {
  const parsed = parseConfig({ sidecarUrl, token });
  expect(parsed).toMatchObject({ ok: false });
  if (!parsed.ok) {
    expect(parsed.reason).toContain("plugins.entries.hotbags.config.sidecarUrl must be ws:// on this machine");
  }
});

test.each([[undefined], [{ source: "env", provider: "default", id: "X" }], [""], ["two words"], ["line\nbreak"]])(
  "token %j is refused without being repeated",
  (bad) => {
    const parsed = parseConfig({ token: bad });
    expect(parsed).toMatchObject({ ok: false });
    if (!parsed.ok) {
      expect(parsed.reason).toMatch(/^plugins\.entries\.hotbags\.config\.token .*BRIDGE_TOKEN/);
      expect(parsed.reason).not.toContain("words");
    }
  },
);

test("an unknown setting is named", () => {
  expect(parseConfig({ token, sidecarURL: "x" })).toMatchObject({
    ok: false,
    reason: expect.stringContaining("sidecarURL"),
  });
  expect(parseConfig(undefined)).toMatchObject({ ok: false, reason: expect.stringContaining("token is missing") });
});
