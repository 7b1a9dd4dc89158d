import { expect, test } from "vitest";
import { startGateway } from "../openclaw/index.ts";
import { until } from "../until.ts";

const WHERE = "plugins.entries.hotbags.config";

test("a gateway starts on wrong settings, names each field and its remedy, and goes on when they are mended", async () => {
  await using gateway = await startGateway({
    sidecarUrl: "http://127.0.0.1:1",
    bridgeToken: "never-in-a-log",
    configPatch: (config) => {
      config.channels.whatsapp["enabled"] = false;
      const settings = config.plugins.entries["hotbags"]?.config ?? {};
      settings["token"] = { source: "env", provider: "default", id: "NO_SUCH_VARIABLE" };
      settings["sidecarURL"] = "ws://127.0.0.1:1";
      return config;
    },
  });
  await gateway.ready();
  const said = await until("the plugin complains", () =>
    gateway.logs.find((line) => line.includes("[plugins] hotbags:")),
  );
  expect(said).toContain("messages are kept but not forwarded");
  expect(said).toContain(`${WHERE}.sidecarUrl must be ws:// on this machine`);
  expect(said).toContain(`${WHERE}.token is missing: put the sidecar's BRIDGE_TOKEN here`);
  expect(said).toContain(
    `${WHERE}.sidecarURL is no setting: there are sidecarUrl, token, maxFileBytes and lowDiskBytes`,
  );
  expect(gateway.logs.join("\n")).toMatch(/\[secrets\].*paths: plugins\.entries\.hotbags\.config\.token; reason: \S+/);

  const mended = gateway.logged(/hotbags: sidecar link is down: connect ECONNREFUSED 127\.0\.0\.1:1;/, {
    timeoutMs: 60_000,
  });
  await gateway.configure((config) => {
    const entry = config.plugins.entries["hotbags"];
    if (entry) entry.config = { sidecarUrl: "ws://127.0.0.1:1", token: "never-in-a-log" };
    return config;
  });
  await mended;
  expect(gateway.logs.join("\n")).not.toContain("never-in-a-log");
});
