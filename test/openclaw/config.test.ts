import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type ConfigOptions, exampleConfig, writeConfig } from "./config.ts";
import { gatewayEnvironment } from "./environment.ts";
import { configPath, OPENCLAW } from "./places.ts";
import { copyStateTemplate } from "./state-template.ts";

let root: string;
let options: ConfigOptions;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "hotbags-config-"));
  options = { port: 20_000, root, accountIds: ["default"], plugin: {}, sidecarUrl: "ws://127.0.0.1:20001" };
});
afterAll(() => rm(root, { recursive: true, force: true }));

test("openclaw.json.example is valid for the real OpenClaw, without a warning", { timeout: 120_000 }, async () => {
  const stateDir = join(root, "state");
  await copyStateTemplate(stateDir, console.log);
  await writeConfig(configPath(root), await exampleConfig(options));
  const env = await gatewayEnvironment(root, stateDir, { OPENCLAW_GATEWAY_TOKEN: "t", BRIDGE_TOKEN: "t" });
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [OPENCLAW, "config", "validate"], { env });
  expect(stdout).toMatch(/^Config valid: \S+\s*$/);
  expect(stderr).toBe("");
});

test("a test changes ports, numbers and paths, and no secret is written into the file", async () => {
  const before = await exampleConfig(options);
  const given = {
    allowFrom: ["+15550009999"],
    groups: ["120363000000000007@g.us"],
    plugin: { config: { token: "x" } },
  };
  const config = await exampleConfig({ ...options, ...given });
  expect(config.gateway.port).toBe(20_000);
  expect(config.channels.whatsapp.allowFrom).toEqual(["+15550009999"]);
  expect(config.channels.whatsapp.groupAllowFrom).toEqual(["+15550009999"]);
  expect(config.channels.whatsapp.groups).toEqual({ "120363000000000007@g.us": { requireMention: false } });
  expect(config.plugins.entries["hotbags"]?.config).toEqual({
    lowDiskBytes: 0,
    sidecarUrl: "ws://127.0.0.1:20001",
    token: "x",
  });
  expect(JSON.stringify(before)).toContain('"id":"BRIDGE_TOKEN"');
  expect(config["session"]).toEqual(before["session"]);
});

test("the example names its groups: a wildcard, or no name at all, would let every group through", async () => {
  const { groups, ...whatsapp } = (await exampleConfig(options)).channels.whatsapp;
  expect(whatsapp["groupPolicy"]).toBe("allowlist");
  expect(Object.keys(groups)).toEqual([expect.stringMatching(/^\d+@g\.us$/)]);
});

test("the plugin can be left out, and a second account added", async () => {
  const config = await exampleConfig({ ...options, plugin: "none", accountIds: ["default", "shop-2"] });
  expect(config.plugins.allow).toEqual(["whatsapp"]);
  expect(config.plugins.entries["hotbags"]).toBeUndefined();
  expect(config.channels.whatsapp.accounts).toEqual({ default: {}, "shop-2": {} });
});
