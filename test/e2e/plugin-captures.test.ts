import { execFile } from "node:child_process";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { startGateway } from "../openclaw/index.ts";

// If an upgrade of OpenClaw keeps its copies of plugins elsewhere, or tells otherwise which are in use, this fails.

const SCRIPT = fileURLToPath(new URL("../../systemd/remove-dead-plugin-captures.mjs", import.meta.url));

test("the copies of plugins of a gateway that was killed are removed, those of one that runs are not", async () => {
  await using gateway = await startGateway({
    sidecarUrl: "ws://127.0.0.1:1",
    bridgeToken: "bridge-token-of-the-test",
    configPatch: (config) => {
      config.channels.whatsapp["enabled"] = false;
      return config;
    },
  });
  const captures = join(gateway.stateDir, "tmp", "plugin-captures");
  /** The names of all copies, which are two minutes old from now on. */
  const aged = () => {
    const names = readdirSync(captures).filter((name) => statSync(join(captures, name)).isDirectory());
    for (const name of names) utimesSync(join(captures, name), Date.now() / 1_000 - 120, Date.now() / 1_000 - 120);
    return names;
  };
  const cleanUp = () =>
    promisify(execFile)(process.execPath, [SCRIPT], { env: { OPENCLAW_STATE_DIR: gateway.stateDir } });

  await gateway.ready();
  const [killed, ...others] = aged();
  expect(killed).toBeDefined();
  expect(others).toEqual([]);
  await cleanUp();
  expect(readdirSync(captures)).toEqual([killed]);
  await gateway.kill();
  await gateway.start();
  await gateway.ready();
  const both = aged();
  expect(both).toHaveLength(2);
  await cleanUp();
  expect(readdirSync(captures)).toEqual(both.filter((name) => name !== killed));
});
