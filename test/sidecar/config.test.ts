import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { SETTING_NAMES } from "../../sidecar/src/settings/schema.ts";
import type { ShownSettings } from "../../sidecar/src/settings/shown-settings.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { askOperator } from "../shop/operator-api.ts";
import { BRIDGE_TOKEN, BuiltSidecar } from "./built-sidecar.ts";

// `hotbags config` beside a sidecar whose settings are in an env file and in files of their own, and without one.

vi.setConfig({ testTimeout: 60_000 });

let dir: string;
let envFile: string;
let sidecar: BuiltSidecar;
/** What the env file said at the start. */
let before: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-config-"));
  const prepared = await BuiltSidecar.prepare();
  const { HOTBAGS_BASE_URL, BRIDGE_TOKEN: _, HOTBAGS_BEARER_TOKEN, ...rest } = prepared.env;
  before = `HOTBAGS_BASE_URL=${HOTBAGS_BASE_URL}\nBRIDGE_TOKEN_FILE=${join(dir, "bridge")}\n`;
  envFile = join(dir, "sidecar.env");
  file("HOTBAGS_BEARER_TOKEN", HOTBAGS_BEARER_TOKEN);
  sidecar = prepared;
  sidecar.process.configure({
    ...{ HOTBAGS_BASE_URL: undefined, BRIDGE_TOKEN: undefined, HOTBAGS_BEARER_TOKEN: undefined },
    ...{ ...rest, CREDENTIALS_DIRECTORY: dir },
  });
  sidecar.process.useEnvFile(envFile);
  start();
  await sidecar.process.start();
});
beforeEach(async () => {
  start();
  await askOperator(sidecar.dir, "POST", "/api/v1/config/reload", {});
});
afterAll(async () => {
  await sidecar.close();
  rmSync(dir, { recursive: true });
});

/** Writes what the sidecar was started with. */
function start() {
  file("sidecar.env", before);
  file("bridge", BRIDGE_TOKEN);
}

function file(name: string, content = ""): string {
  const path = join(dir, name);
  writeFileSync(path, content);
  chmodSync(path, 0o600);
  return path;
}

const run = (...args: string[]) => runHotbags(sidecar.dir, "config", ...args);

type Row = ShownSettings["settings"][number];
async function ask(...args: string[]) {
  const { code, stdout } = await run(...args, "--json");
  const found: ShownSettings & { is_running: boolean } = JSON.parse(stdout);
  const of = (name: string) => found.settings.find((row) => row.name === name) as Row;
  return { code, ...found, of };
}

describe("beside a running sidecar", () => {
  it("says what that uses and where each is from, and no secret", async () => {
    const { code, stdout } = await run();
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`HOTBAGS_BASE_URL +http://127.0.0.1:\\d+/? +${envFile}`));
    expect(stdout).toMatch(new RegExp(`HOTBAGS_BEARER_TOKEN +\\(secret\\) +credential ${dir}/HOTBAGS_BEARER_TOKEN`));
    expect(stdout).toMatch(new RegExp(`BRIDGE_TOKEN +\\(secret\\) +file ${dir}/bridge`));
    expect(stdout).toMatch(/OPENCLAW_GATEWAY_TOKEN +\(secret\) +environment/);
    expect(stdout).toMatch(/BRIDGE_RETRY_HOURS +24 +default/);
    expect(stdout).not.toMatch(/of-the-test|shared-token|Written since/);
  });

  it("says what was written since, by which it is taken over, and what is wrong with it", async () => {
    file("bridge", "another-bridge-token");
    file("sidecar.env", `HOTBAGS_BASE_URL=https://shop.example\nBRIDGE_TOKEN_FILE=${dir}/bridge\n`);
    const { stdout, code } = await run();
    expect(code).toBe(0);
    const [, written] = stdout.split("Written since");
    expect(written).toMatch(/HOTBAGS_BASE_URL +https:\/\/shop.example.* a restart\n/);
    expect(written).toMatch(/BRIDGE_TOKEN +another secret.*hotbags config reload\n/);
    expect(written).not.toMatch(/another-bridge|RETRY/);

    file("bridge", "short");
    const wrong = await run();
    expect(wrong).toMatchObject({ code: 78, stderr: expect.stringContaining("- BRIDGE_TOKEN: must be at least 16") });
    expect((await ask()).of("BRIDGE_TOKEN")).toMatchObject({ value: "(secret)", written: { value: "(secret)" } });
    expect(await askOperator(sidecar.dir, "POST", "/api/v1/doctor", {})).toMatchObject({
      findings: expect.arrayContaining([
        expect.objectContaining({
          check: "settings",
          level: "fail",
          seen: expect.stringMatching(/not start again: BRIDGE_TOKEN/),
        }),
      ]),
    });
  });

  it("has that read them again, and says what came of it", async () => {
    const reload = () => run("reload");
    file("sidecar.env", before.replace(/=http.*/, "=https://shop.example"));
    file("bridge", "short");
    expect(await reload()).toMatchObject({
      code: 78,
      stdout: "",
      stderr: expect.stringMatching(/Nothing was changed.*- BRIDGE_TOKEN: must be at least 16/s),
    });
    file("bridge", "another-bridge-token");
    const first = await reload();
    expect(first).toMatchObject({ code: 1, stderr: "" });
    expect(first.stdout).toBe(
      "In use from now on: BRIDGE_TOKEN.\nNot in use before a restart of the sidecar: HOTBAGS_BASE_URL.\n",
    );
    file("sidecar.env", before);
    expect(await reload()).toEqual({ code: 0, stdout: "What is written was in use already.\n", stderr: "" });
  });

  it("reads another file than the sidecar's here, and the sidecar's there", async () => {
    const other = file("other.env", "HOTBAGS_BASE_URL=https://someone:hidden@shop.example\n");
    const here = await ask("--env-file", other);
    expect(here).toMatchObject({ code: 78, is_running: false, env_file: other });
    expect(here.of("HOTBAGS_BASE_URL")).toMatchObject({ value: "(refused)", source: "env_file", path: other });
    expect(JSON.stringify(here)).not.toContain("hidden");
    expect(await ask("--env-file", envFile)).toMatchObject({ is_running: true, env_file: envFile });
  });
});

it("works where no sidecar has ever been, and says all mistakes", async () => {
  const nowhere = join(dir, "nowhere");
  // In the way of the sidecar that runs, were it asked.
  const { code, stdout, stderr } = await runHotbags(sidecar.dir, "config", "--state-dir", nowhere);
  expect(code).toBe(78);
  expect(stderr).toContain(`No sidecar that runs on ${nowhere} is asked`);
  for (const name of SETTING_NAMES) expect(stdout).toContain(name);
  const required = ["HOTBAGS_BASE_URL", "HOTBAGS_BEARER_TOKEN", "OPENCLAW_GATEWAY_TOKEN", "BRIDGE_TOKEN"];
  for (const name of required) expect(stderr).toContain(`- ${name}: is not set\n`);
});
