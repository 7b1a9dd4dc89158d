import { MAX_FILE_BYTES } from "@hotbags/shared";
import { expect, test } from "vitest";
import manifest from "../../openclaw.plugin.json" with { type: "json" };
import { lowDiskBytes, maxFileBytes, parseConfig } from "./config.ts";

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
  "ws://127.0.0.1:99999",
  "",
  "not a url",
])("sidecarUrl %j is refused, by its full name and with what to write", (sidecarUrl) => {
  const parsed = parseConfig({ sidecarUrl, token });
  expect(parsed).toMatchObject({ ok: false });
  if (!parsed.ok) {
    expect(parsed.reason).toContain("plugins.entries.hotbags.config.sidecarUrl must be ws:// on this machine");
  }
});

test.each([
  [undefined],
  [{ source: "env", provider: "default", id: "X" }],
  [["a"]],
  [""],
  ["two words"],
  ["line\nbreak"],
])("token %j is refused without being repeated", (bad) => {
  const parsed = parseConfig({ token: bad });
  expect(parsed).toMatchObject({ ok: false });
  if (!parsed.ok) {
    expect(parsed.reason).toMatch(/^plugins\.entries\.hotbags\.config\.token .*BRIDGE_TOKEN/);
    expect(parsed.reason).not.toContain("words");
  }
});

test("maxFileBytes is 32 MiB unless it is set, and at most what the sidecar takes", () => {
  expect(maxFileBytes({ token })).toBe(33_554_432);
  expect(maxFileBytes({ token, maxFileBytes: 0 })).toBe(0);
  expect(maxFileBytes({ maxFileBytes: MAX_FILE_BYTES, sidecarUrl: "broken" })).toBe(MAX_FILE_BYTES);
  expect(maxFileBytes(undefined)).toBe(33_554_432);
  expect(maxFileBytes("nonsense")).toBe(33_554_432);
});

test("lowDiskBytes is 1 GiB unless it is set, and refused by name where it is no number of bytes", () => {
  expect(lowDiskBytes({ token })).toBe(1024 ** 3);
  expect(lowDiskBytes({ lowDiskBytes: 0, sidecarUrl: "broken" })).toBe(0);
  expect(lowDiskBytes({ lowDiskBytes: "10MB" })).toBe(1024 ** 3);
  const reason = expect.stringContaining("config.lowDiskBytes must be a whole number of bytes");
  expect(parseConfig({ token, lowDiskBytes: "10MB" })).toMatchObject({ ok: false, reason });
});

test.each([["10MB"], [1.5], [-1], [MAX_FILE_BYTES + 1], [null]])("maxFileBytes %j is refused by name", (bad) => {
  const parsed = parseConfig({ token, maxFileBytes: bad });
  expect(parsed).toMatchObject({ ok: false, reason: expect.stringContaining("config.maxFileBytes must be") });
  expect(maxFileBytes({ token, maxFileBytes: bad })).toBe(33_554_432);
});

test("the schema that OpenClaw checks has the same settings and defaults", () => {
  const { properties } = manifest.configSchema;
  expect(Object.keys(properties).toSorted()).toEqual(["lowDiskBytes", "maxFileBytes", "sidecarUrl", "token"]);
  expect(properties.maxFileBytes).toMatchObject({ default: maxFileBytes({}) });
  expect(properties.lowDiskBytes).toMatchObject({ default: lowDiskBytes({}) });
});

test("an unknown setting is named", () => {
  expect(parseConfig({ token, sidecarURL: "x" })).toMatchObject({
    ok: false,
    reason:
      "plugins.entries.hotbags.config.sidecarURL is no setting: there are sidecarUrl, token, maxFileBytes and lowDiskBytes",
  });
  expect(parseConfig(undefined)).toMatchObject({ ok: false, reason: expect.stringContaining("token is missing") });
});
