import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text as textOf } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import JSON5 from "json5";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { VERSION } from "../../shared/src/index.ts";
import { noteBackup } from "../../sidecar/src/checks/last-backup.ts";
import type { GatewayConfig } from "../openclaw/config.ts";
import { has } from "./programs.ts";

// What install.sh does with files, in a folder in place of a machine's root, and what Debian's own tools say of the scripts and units.

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SYSTEMD = join(ROOT, "systemd");
const TOKEN = "token-of-hot-bags";
const NUMBERS = "+15550001001 , +15550001002";

let dir: string;
/** The folder in place of a machine's root. */
let machine: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "hotbags-machine-"));
  pack();
  writeFileSync(join(dir, "token"), `${TOKEN}\n`);
});
afterAll(() => rmSync(dir, { recursive: true }));
beforeEach(() => {
  machine = mkdtempSync(join(dir, "root-"));
});

/** Tarballs as `npm run package` makes them, but for the code in them. */
function pack() {
  const sidecar = join(dir, `hotbags-sidecar-${VERSION}`);
  mkdirSync(join(sidecar, "sidecar", "dist"), { recursive: true });
  writeFileSync(join(sidecar, "sidecar", "dist", "cli.js"), "");
  mkdirSync(join(sidecar, "docs"));
  for (const page of ["operations.md", "plugin.md"]) writeFileSync(join(sidecar, "docs", page), "");
  cpSync(SYSTEMD, join(sidecar, "systemd"), { recursive: true });
  cpSync(join(ROOT, "openclaw.json.example"), join(sidecar, "openclaw.json.example"));
  mkdirSync(join(dir, "package"));
  writeFileSync(join(dir, "package", "package.json"), "{}");
  execFileSync("tar", ["-czf", `${sidecar}.tgz`, "-C", dir, `hotbags-sidecar-${VERSION}`]);
  execFileSync("tar", ["-czf", join(dir, `hotbags-openclaw-plugin-${VERSION}.tgz`), "-C", dir, "package"]);
  cpSync(join(SYSTEMD, "install.sh"), join(dir, "install.sh"));
  const files = ["install.sh", `hotbags-sidecar-${VERSION}.tgz`, `hotbags-openclaw-plugin-${VERSION}.tgz`];
  writeFileSync(join(dir, "SHA256SUMS"), execFileSync("sha256sum", files, { cwd: dir }));
}

function run(program: string, args: string[], env: NodeJS.ProcessEnv = process.env) {
  return new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    execFile(program, args, { env, encoding: "utf8" }, (error, stdout, stderr) =>
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
  });
}

/** Without the reader's own settings: bash takes a pipe from a process of no shell for a login from afar, and reads them. */
function runScript(args: string[]) {
  return run("bash", ["--norc", "-euo", "pipefail", "-c", ...args]);
}

/** `install.sh` on the machine, with these options. */
function install(...options: string[]) {
  return run("bash", [join(dir, "install.sh"), "--root", machine, "--yes", ...options]);
}
const shopsOptions = () => [
  ...["--hotbags-url", "https://shop.example", "--token-file", join(dir, "token"), "--allow", NUMBERS],
];
const setUp = () => install(...shopsOptions());

const on = (path: string) => join(machine, path);
const text = (path: string) => readFileSync(on(path), "utf8");
const mode = (path: string) => (statSync(on(path)).mode & 0o777).toString(8);

describe("install.sh", () => {
  it("does nothing where it is only to say what it would do, and asks nothing", async () => {
    const { code, stdout } = await install("--dry-run", "--token-file", join(dir, "token"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/would ask: URL of Hot Bags[\s\S]*would write: .*gateway\.env/);
    expect(stdout).toMatch(/would write: .*hotbags-sidecar\.service/);
    expect(stdout).toMatch(/Nothing was done/);
    expect(existsSync(on("etc"))).toBe(false);
    expect(stdout).not.toContain(TOKEN);
  });

  it.each([
    ["a value that is missing", ["--hotbags-url", "https://shop.example"], /Token of Hot Bags.*not given/],
    ["a token among the arguments", ["--token", "x"], /every user.*--token-file/],
    ["an address without https", ["--hotbags-url", "http://shop.example"], /no https:/],
    ["an address that sidecar.env can't hold", ["--hotbags-url", "https://shop.example/#a"], /can't have #/],
    ["an option that it does not know", ["--speed"], /--speed is no option/],
    ["to purge what it is not to remove", ["--purge"], /goes with --uninstall/],
    ["a time that the shell can't hold", ["--health-timeout", "9".repeat(20)], /number of seconds/],
    ["a time that is no number to the shell", ["--health-timeout", "08"], /number of seconds/],
  ])("refuses %s, and does nothing", async (_, options, reason) => {
    const { code, stderr } = await install(...options);
    expect([code, stderr]).toEqual([1, expect.stringMatching(reason)]);
    expect(existsSync(on("etc"))).toBe(false);
  });

  it("sets a machine up, and changes nothing when it is run again", async () => {
    expect(await setUp()).toMatchObject({ code: 0, stderr: expect.not.stringMatching(/error/i) });
    const secrets = ["HOTBAGS_BEARER_TOKEN", "OPENCLAW_GATEWAY_TOKEN", "BRIDGE_TOKEN"];
    expect(secrets.map((name) => mode(`etc/hotbags/secrets/${name}`))).toEqual(["600", "600", "600"]);
    expect(text("etc/hotbags/secrets/HOTBAGS_BEARER_TOKEN")).toBe(TOKEN);
    const made = secrets.slice(1).map((name) => text(`etc/hotbags/secrets/${name}`));
    expect(made).toEqual([expect.stringMatching(/^[\da-f]{64}$/), expect.stringMatching(/^[\da-f]{64}$/)]);
    expect(text("etc/hotbags/gateway.env")).toBe(`OPENCLAW_GATEWAY_TOKEN=${made[0]}\nBRIDGE_TOKEN=${made[1]}\n`);
    expect(text("etc/hotbags/sidecar.env")).toMatch(/^HOTBAGS_BASE_URL=https:\/\/shop\.example$/m);
    const credentials = text("etc/systemd/system/hotbags-sidecar.service.d/secrets.conf");
    for (const name of secrets) expect(credentials).toContain(`LoadCredential=${name}:/etc/hotbags/secrets/${name}\n`);
    expect(readlinkSync(on("opt/hotbags"))).toMatch(new RegExp(`^/opt/hotbags-releases/${VERSION}-`));
    expect(existsSync(join(on("."), readlinkSync(on("opt/hotbags")), "plugin", "package.json"))).toBe(true);
    expect(readlinkSync(on("etc/systemd/system/multi-user.target.wants/hotbags.target"))).toContain("hotbags.target");
    const timers = readdirSync(on("etc/systemd/system/timers.target.wants")).sort();
    expect(timers).toEqual(["hotbags-backup.timer", "hotbags-release-check.timer"]);
    expect([mode("etc/hotbags/backup.env"), existsSync(on("etc/apt/apt.conf.d/52hotbags"))]).toEqual(["600", true]);

    const again = await setUp();
    expect(again).toMatchObject({ code: 0, stdout: expect.not.stringContaining("wrote") });
    expect(secrets.slice(1).map((name) => text(`etc/hotbags/secrets/${name}`))).toEqual(made);

    // A release that was damaged since is made anew.
    const plugin = join(on("."), readlinkSync(on("opt/hotbags")), "plugin", "package.json");
    writeFileSync(plugin, "{]");
    expect(await setUp()).toMatchObject({ code: 0, stdout: expect.stringContaining("damaged, and is made anew") });
    expect(readFileSync(plugin, "utf8")).toBe("{}");
    expect(readdirSync(on("opt/hotbags-releases"))).toHaveLength(1);
    // Three installations, on a machine that has more to do.
  }, 60_000);

  it("writes a configuration that lets in these numbers, and no group", async () => {
    await setUp();
    const config = JSON5.parse<GatewayConfig>(text("var/lib/openclaw/.openclaw/openclaw.json"));
    const numbers = ["+15550001001", "+15550001002"];
    expect(config.channels.whatsapp).toMatchObject({
      dmPolicy: "allowlist",
      allowFrom: numbers,
      groupPolicy: "disabled",
    });
    expect(config.plugins.entries["hotbags"]?.config?.["sidecarUrl"]).toBe("unix:/run/hotbags/bridge.sock");
    expect(config.plugins.load?.paths).toEqual(["/opt/hotbags/plugin"]);
    expect(mode("var/lib/openclaw/.openclaw/openclaw.json")).toBe("600");
  });

  it("leaves the system's own updates alone where it is told to", async () => {
    await install(...shopsOptions(), "--no-os-updates");
    expect(existsSync(on("etc/apt"))).toBe(false);
  });

  it("refuses what was damaged on the way", async () => {
    const sums = readFileSync(join(dir, "SHA256SUMS"), "utf8");
    onTestFinished(() => writeFileSync(join(dir, "SHA256SUMS"), sums));
    writeFileSync(
      join(dir, "SHA256SUMS"),
      sums.replace(/^./, (digit) => (digit === "0" ? "1" : "0")),
    );
    expect(await setUp()).toMatchObject({ code: 1, stderr: expect.stringMatching(/not as it was packed/) });
  });

  it("removes itself, and the data only if it is told to", async () => {
    await setUp();
    expect(await install("--uninstall")).toMatchObject({ code: 0 });
    const gone = [
      "opt/hotbags",
      "usr/local/bin/hotbags",
      "usr/local/bin/hotbags-openclaw",
      "etc/systemd/system/hotbags-sidecar.service",
    ];
    expect(gone.filter((path) => existsSync(on(path)))).toEqual([]);
    expect(readdirSync(on("etc/systemd/system/timers.target.wants"))).toEqual([]);
    expect(existsSync(on("etc/hotbags/secrets/BRIDGE_TOKEN"))).toBe(true);
    expect(await install("--uninstall", "--purge")).toMatchObject({ code: 0 });
    expect(existsSync(on("etc/hotbags"))).toBe(false);
    expect(existsSync(on("var/lib/openclaw"))).toBe(false);
  });

  it("refuses an OpenClaw that is another's", async () => {
    mkdirSync(on("var/lib/openclaw/.openclaw"), { recursive: true });
    writeFileSync(on("var/lib/openclaw/.openclaw/openclaw.json"), '{ "agents": {} }');
    expect(await setUp()).toMatchObject({ code: 1, stderr: expect.stringMatching(/without the bridge.*mv/) });
    expect(text("var/lib/openclaw/.openclaw/openclaw.json")).toBe('{ "agents": {} }');
  });

  it.each([
    ["nobody is there", "", 0],
    ["they are its own", "hotbags:x:996:997::/var/lib/hotbags:/usr/sbin/nologin", 0],
    ["a person has the name", "hotbags:x:1000:1000::/home/hotbags:/bin/bash", 1],
  ])("takes users only where %s", async (_, entry, code) => {
    const script = `getent() { [ "$2" = hotbags ] && [ -n "${entry}" ] && echo "${entry}"; }; refuse_others`;
    expect((await runFunctions(["refuse", "refuse_others"], script)).code).toBe(code);
  });

  it("installs the release of OpenClaw that it is to, not one whose name begins alike", async () => {
    const script = `note_change() { :; }; act() { echo "$@"; }; act_quietly() { act "$@"; }
      openclaw() { echo "OpenClaw 2026.9.60 (abc)"; }; install_openclaw 2026.9.6
      openclaw() { echo "OpenClaw 2026.9.6 (abc)"; }; install_openclaw 2026.9.6`;
    const { stdout } = await runFunctions(["has_openclaw", "install_openclaw"], script);
    expect(stdout.match(/npm install .*/g)).toEqual([expect.stringMatching(/ openclaw@2026\.9\.6$/)]);
  });

  it.each([
    ["npm/projects/whatsapp-1", 0],
    ["npm/projects/.openclaw-install-stage-1", 1],
    ["tmp/plugin-captures/1/captures/build-1", 1],
  ])("takes WhatsApp's plugin in %s for installed or not", async (folder, code) => {
    mkdirSync(on("npm"));
    const path = `${folder}/node_modules/@openclaw/whatsapp`;
    mkdirSync(on(path), { recursive: true });
    writeFileSync(on(`${path}/package.json`), '{\n  "version": "2026.9.6"\n}\n');
    const script = `openclaw_state=${machine}; has_whatsapp 2026.9.6`;
    expect((await runFunctions(["has_whatsapp"], script)).code).toBe(code);
  });

  it("refuses an /opt/hotbags that it did not make", async () => {
    mkdirSync(on("opt/hotbags"), { recursive: true });
    expect(await setUp()).toMatchObject({ code: 1, stderr: expect.stringMatching(/did not make it.*mv/) });
  });
});

/** The check that fails while Hot Bags is away. */
const HOT_BAGS = "hot_bags_last_success_minutes";

it.each([
  ["all is well, as before", `+ plugin\n+ ${HOT_BAGS}`, `+ plugin\n+ ${HOT_BAGS}`, true],
  ["all was well, and Hot Bags is away", `+ plugin\n+ ${HOT_BAGS}`, `+ plugin\n- ${HOT_BAGS}`, false],
  ["what the release before did not look at is not well", "+ plugin", "+ plugin\n- backup", true],
  ["Hot Bags was away, and all is well", `+ plugin\n- ${HOT_BAGS}`, `+ plugin\n+ ${HOT_BAGS}`, true],
  ["Hot Bags is away, as before", `+ reply_waits\n- ${HOT_BAGS}`, `- reply_waits\n- ${HOT_BAGS}`, true],
  ["it was away, and now the plugin is too", `+ plugin\n- ${HOT_BAGS}`, `- plugin\n+ ${HOT_BAGS}`, false],
  ["no phone was linked, and none is", "- session_connected default", "- session_connected default", true],
  ["one of two accounts is lost", "- session_connected a\n+ session_connected b", "- session_connected b", false],
  ["nobody answers", `- ${HOT_BAGS}`, "- sidecar", false],
  ["nobody answered before, and now somebody does", "- sidecar", "- gateway\n- plugin", true],
])("an upgrade stays or not: %s", async (_, before, after, stays) => {
  const script = `${functionOf("as_well_as")}\nas_well_as "$1" "$2"`;
  const { code } = await runScript([script, "bash", before, after]);
  expect(code === 0).toBe(stays);
});

describe("an upgrade that goes wrong", () => {
  const FUNCTIONS = ["say", "step", "refuse", "act", "put", "note_change", "note_file", "restart_changed", "units_of"];
  FUNCTIONS.push("surround", "copy_databases", "put_back", "take_copy", "becomes_well", "go_back", "upgrade");

  /** Runs `script` with these functions, on databases that the new release has changed, which are not well. Time and systemd are doubles. */
  function onState(script: string) {
    for (const folder of ["state", "kept/outbox", "outbox", "old/systemd", "new/systemd", "etc"])
      mkdirSync(on(folder), { recursive: true });
    for (const path of ["state/bridge.sqlite", "state/bridge.sqlite-wal", "outbox/outbox.sqlite", "pointed"])
      writeFileSync(on(path), "new");
    for (const path of ["kept/bridge.sqlite", "kept/outbox/outbox.sqlite"]) writeFileSync(on(path), "old");
    writeFileSync(on("old/systemd/install.sh"), "OPENCLAW_VERSION=1\nWHATSAPP_VERSION=2\n");
    for (const release of ["old", "new"]) {
      writeFileSync(on(`${release}/systemd/hotbags-sidecar.service`), release);
      writeFileSync(on(`${release}/systemd/hotbags.target`), "the same");
    }
    const given = `cd ${machine}
      root=$PWD state=$PWD/state outbox=$PWD/outbox kept=$PWD/kept before=$PWD/old release=$PWD/new from=$PWD/new
      unjudged=$PWD/unjudged changed=$PWD/changed version=3 health_timeout=0 cut_off=false was= dry_run=false
      OPENCLAW_VERSION=3 WHATSAPP_VERSION=3 units=(hotbags-sidecar.service hotbags.target) timers=()
      both=(hotbags-sidecar.service openclaw-gateway.service)
      live() { true; }; chown() { :; }
      may_go_back() { echo with-the-copy; }
      systemctl() { echo "$*" >>told; }
      readlink() { cat pointed; }; point() { echo "$2" >pointed; }
      checks() { echo "+ plugin"; }; is_well() { false; }
      hotbags() { :; }; journalctl() { :; }; install_openclaw() { echo "$1" >openclaw; }; install_whatsapp() { :; }`;
    const lines = [...FUNCTIONS.map(functionOf), given, script];
    return runScript([lines.join("\n")]);
  }
  const told = () => text("told").trim().split("\n");
  const START = "start --no-block hotbags-sidecar.service openclaw-gateway.service";

  it("takes the databases of before back", async () => {
    expect(await onState("put_back")).toEqual({ code: 0, stdout: "", stderr: "" });
    expect([readdirSync(on("state")), text("state/bridge.sqlite")]).toEqual([["bridge.sqlite"], "old"]);
    expect([readdirSync(on("outbox")), text("outbox/outbox.sqlite")]).toEqual([["outbox.sqlite"], "old"]);
  });

  it.each(["cp", "rm", "mv", "rmdir"])("has a database at each instant of that: cut off at its %s", async (program) => {
    await onState(`${program}() { kill -9 $$; }; put_back`);
    expect(text("state/bridge.sqlite")).toMatch(/^(new|old)$/);
    // And the next run goes on with it.
    await onState("put_back");
    expect([readdirSync(on("state")), text("state/bridge.sqlite")]).toEqual([["bridge.sqlite"], "old"]);
  });

  it.each([
    ["there is no room for the copy", "find() { false; }", 2],
    [
      "the outbox can't be gone back to",
      'may_go_back() { [ "$1" = queue ] && echo with-the-copy || echo not-at-all; }',
      1,
    ],
    ["a copy can't be read", "may_go_back() { false; }", 3],
  ])("leaves the databases as they are where %s", async (_, why, code) => {
    expect(await onState(`${why}; put_back`)).toMatchObject({ code });
    expect(readdirSync(on("state")).map((name) => text(`state/${name}`))).toEqual(["new", "new"]);
    expect(text("outbox/outbox.sqlite")).toBe("new");
  });

  it("starts the release of before also where its OpenClaw can't be had, and says so, and that it is not well", async () => {
    const { code, stdout, stderr } = await onState("install_openclaw() { false; }; go_back");
    expect([code, stderr]).toEqual([1, expect.stringMatching(/was taken back; old runs again, but is NOT as well/)]);
    expect(stdout).toMatch(/OpenClaw 1 .* 2 can't be had now: run install\.sh of old/);
    expect(told().slice(-2)).toEqual(["daemon-reload", START]);
  });

  it("goes back also where nobody reads what it says any more", async () => {
    await onState("(step upgrade; sleep 0.1; upgrade) | head -n 1");
    expect([text("pointed"), text("state/bridge.sqlite")]).toEqual([on("old\n"), "new"]);
    expect(told().at(-1)).toBe(START);
  });

  /** Ctrl-C, when systemctl is first told this. */
  const interrupted = (at: string) =>
    `systemctl() { echo "$*" >>told; if [[ "$*" == "${at}"* ]] && [ ! -e hit ]; then : >hit; kill -INT $$; fi; }`;

  it.each([
    ["npm's registry is away", 'install_openclaw() { [ "$1" = 1 ] && echo 1 >openclaw; }'],
    ["the disk has no room for the copies", "find() { false; }"],
    ["the units are there: Ctrl-C", interrupted("daemon-reload")],
    ["the sidecar is stopped: Ctrl-C", interrupted("stop hotbags-sidecar")],
    ["the gateway is stopped: Ctrl-C", interrupted("stop openclaw-gateway")],
    ["the new release is started: Ctrl-C", interrupted("start")],
    ["the new release is not well", ":"],
  ])("goes back whole when %s", async (_, what) => {
    const { code, stderr } =
      await onState(`echo ${on("old")} >pointed; was=; is_well() { [ "$(cat pointed)" = ${on("old")} ]; }
      ${what}; upgrade`);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/was taken back; old runs again, as well as before/)]);
    expect([text("pointed").trim(), text("etc/systemd/system/hotbags-sidecar.service")]).toEqual([on("old"), "old"]);
    expect([text("openclaw"), existsSync(on("unjudged"))]).toEqual(["1\n", false]);
    expect(
      told().some(
        (line, n) =>
          line === START &&
          !told()
            .slice(n)
            .some((later) => later.startsWith("stop")),
      ),
    ).toBe(true);
  });

  it("has something run also where the disk is too full to go back, and says so", async () => {
    const { code, stderr } = await onState(`mktemp() { false; }; systemctl() { echo "$*" >>told; false; }; go_back`);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/not be taken back wholly.*make room/)]);
    expect(told().at(-1)).toBe(START);
  });

  it.each([
    ["the sidecar does not run since", "- sidecar", "+ plugin\n+ gateway"],
    ["the sidecar runs", "+ plugin\n- gateway", "+ plugin\n- gateway"],
  ])("after one that was cut off, when %s, it must be as well as before", async (_, now, before) => {
    await onState(
      `was=$'+ plugin\n+ gateway'; checks() { echo "${now}"; }; surround() { cp unjudged judged; }; upgrade`,
    );
    expect(text("judged")).toBe(`${on("old")}\n${before}\n`);
  });
});

it.each([
  ["an alert's secret for the units", "/etc/systemd/system/hotbags-alert@.service.d/secrets.conf", ""],
  ["journald's limits", "/etc/systemd/journald.conf.d/hotbags.conf", ""],
  ["a secret of the sidecar", "/etc/systemd/system/hotbags-sidecar.service.d/secrets.conf", "hotbags-sidecar.service"],
  ["the gateway's unit", "/etc/systemd/system/openclaw-gateway.service", "openclaw-gateway.service"],
  ["a token of both", "/etc/hotbags/gateway.env", "hotbags-sidecar.service openclaw-gateway.service"],
])("a run starts anew what a changed file concerns: %s", async (_, path, concerned) => {
  const script = `both=(hotbags-sidecar.service openclaw-gateway.service); note_change() { echo "$@"; }; note_file ${path}`;
  expect((await runFunctions(["note_file"], script)).stdout.trim()).toBe(concerned);
});

it.each([
  ["all is well", "+ plugin\n+ gateway", "ok  gateway", false, ""],
  ["no phone is linked yet", "+ plugin", "fail     WhatsApp  account default\n  -> hotbags relink default", false, ""],
  ["the sidecar does not answer", "- sidecar", "", true, "sidecar does not answer"],
  ["the gateway starts still", "- plugin", "", true, "starting still: sudo hotbags doctor in a minute"],
  ["Hot Bags refuses the token", "+ plugin", "fail     Hot Bags  401", false, "not all is well"],
  ["Hot Bags is away, as before an upgrade", "+ plugin", "fail     Hot Bags  503", true, ""],
])("what install.sh says at its end where %s", async (_, checks, doctor, upgraded, fault) => {
  const { stdout, code } = await runFunctions(["fault_in"], `upgraded=${upgraded}; fault_in $'${checks}' $'${doctor}'`);
  expect([code, stdout]).toEqual([0, fault === "" ? "" : expect.stringContaining(fault)]);
});

it.each([
  ["asks again, and takes the right one", "shop.example\nhttps://shop.example\n", 0, "https://shop.example"],
  ["asks three times", "a\nb\nc\nhttps://shop.example\n", 1, ""],
])("after a wrong answer it %s", async (_, answers, code, value) => {
  const script = `url= yes=false dry_run=false; [() { [[ "$*" == "-t 0 ]" ]] || builtin [ "$@"; }
    ask url URL fault_of_url <<<$'${answers}' >/dev/null; echo "$url"`;
  const ran = await runFunctions(["say", "refuse", "fault_of_url", "ask"], script);
  expect([ran.code, ran.stdout.trim()]).toEqual([code, value]);
});

/** Runs functions of install.sh, for themselves, and then `script`. */
function runFunctions(names: string[], script: string) {
  return runScript([[...names.map(functionOf), script].join("\n")]);
}

it("the hotbags command passes over what is no secret among them", async () => {
  mkdirSync(on("secrets"));
  mkdirSync(on("bin"));
  for (const name of ["BRIDGE_TOKEN", "BRIDGE_TOKEN~", "BRIDGE_TOKEN.old"]) writeFileSync(on(`secrets/${name}`), name);
  for (const [name, does] of [
    ["id", "echo 0"],
    ["setpriv", 'echo "$BRIDGE_TOKEN"'],
  ] as const)
    writeFileSync(on(`bin/${name}`), `#!/bin/sh\n${does}\n`, { mode: 0o755 });
  const script = readFileSync(join(SYSTEMD, "hotbags"), "utf8").replace("/etc/hotbags", machine);
  const env = { PATH: `${on("bin")}:/usr/bin:/bin` };
  expect(await run("sh", ["-c", script], env)).toEqual({ code: 0, stdout: "BRIDGE_TOKEN\n", stderr: "" });
});

/** A function of install.sh, for itself. */
function functionOf(name: string): string {
  const script = readFileSync(join(SYSTEMD, "install.sh"), "utf8");
  return new RegExp(`^${name}\\(\\) \\{(.*\\}$|\\n[^]*?^\\})`, "m").exec(script)?.[0] ?? "";
}

it.runIf(has("shellcheck"))("shellcheck finds nothing in the scripts", async () => {
  const scripts = ["install.sh", "hotbags", "hotbags-openclaw", "copy-state-from", "run", "note-failure"].map((name) =>
    join(SYSTEMD, name),
  );
  expect(await run("shellcheck", scripts)).toEqual({ code: 0, stdout: "", stderr: "" });
});

describe.runIf(has("systemd-analyze"))("systemd", () => {
  const UNITS = readdirSync(SYSTEMD).filter((name) => /\.(service|target|timer)$/.test(name));

  it("finds nothing wrong with the units", async () => {
    // Where they would be, for what they run must be there.
    const units = join(dir, "verified");
    mkdirSync(units);
    for (const name of UNITS) {
      const unit = readFileSync(join(SYSTEMD, name), "utf8").replaceAll("/opt/hotbags/", ROOT);
      writeFileSync(join(units, name), unit.replace(/^Documentation=.*\n/m, ""));
    }
    const paths = UNITS.map((name) => join(units, name.replace("@", "@x")));
    cpSync(join(units, "hotbags-alert@.service"), join(units, "hotbags-alert@x.service"));
    const { stderr } = await run("systemd-analyze", ["verify", "--man=no", ...paths]);
    // What is said of the units of this machine is none of ours.
    expect(stderr.split("\n").filter((line) => /hotbags|openclaw/.test(line))).toEqual([]);
  });

  it.each([
    ["hotbags-sidecar.service", 20],
    ["openclaw-gateway.service", 40],
    ["hotbags-backup.service", 20],
    ["hotbags-release-check.service", 20],
  ])("rates %s at %i or lower, of 100", async (unit, threshold) => {
    const args = ["security", "--offline=true", "--no-pager", `--threshold=${threshold}`, join(SYSTEMD, unit)];
    const { code, stdout, stderr } = await run("systemd-analyze", args);
    expect({ code, stderr, exposure: stdout.split("\n").findLast((line) => line.includes("Overall")) }).toMatchObject({
      code: 0,
    });
  });
});

it("the gateway's unit waits while another gateway has its port, and says so", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  const env = { ...process.env, OPENCLAW_GATEWAY_PORT: String(port) };
  const waiting = spawn(process.execPath, [join(SYSTEMD, "wait-for-port.mjs")], { env });
  const [said] = await once(waiting.stderr, "data");
  expect(String(said)).toMatch(`127.0.0.1:${port} is already in use`);
  other.close();
  other.closeAllConnections();
  expect(await once(waiting, "close")).toEqual([0, null]);
});

describe("a unit that has ended", () => {
  /** Ends a unit at each of these instants, in seconds since the machine's start. @returns those at which an alert was started. */
  async function ended(instants: number[], SERVICE_RESULT = "exit-code", EXIT_STATUS = "1") {
    mkdirSync(on("bin"), { recursive: true });
    writeFileSync(on("bin/systemctl"), `#!/bin/sh\necho "$now $*" >>${on("told")}\n`, { mode: 0o755 });
    writeFileSync(on("told"), "");
    const script = readFileSync(join(SYSTEMD, "note-failure"), "utf8")
      .replace("/run/", `${machine}/run/`)
      .replace(/^read -r now .*\n.*$/m, "");
    const env = { PATH: `${on("bin")}:/usr/bin:/bin`, SERVICE_RESULT, EXIT_STATUS };
    for (const now of instants) {
      const { code, stderr } = await run("sh", ["-c", script, "sh", "x.service"], { ...env, now: String(now) });
      expect([code, stderr]).toEqual([0, ""]);
    }
    const told = text("told").trim();
    return told === "" ? [] : told.split("\n");
  }
  const alertAt = (now: number) => `${now} start --no-block hotbags-alert@x.service:again.service`;
  const every = (seconds: number, from: number, to: number) =>
    Array.from({ length: Math.ceil((to - from) / seconds) }, (_, index) => from + index * seconds);

  it("again and again for three minutes is told of once, and after four hours of that again", async () => {
    expect(await ended(every(60, 10, 200))).toEqual([]);
    expect(await ended([250])).toEqual([alertAt(250)]);
    expect(await ended(every(800, 300, 14_650))).toEqual([]);
    expect(await ended([14_650])).toEqual([alertAt(14_650)]);
  });

  it.each([
    ["often, and then no more", every(3, 10, 150)],
    ["a few times a day", every(1_000, 10, 20_000)],
    ["now and then, and often once", [10, 500, 2_000, 2_003, 2_006, 2_009, 2_012]],
  ])("%s, is nobody's business", async (_, instants) => {
    expect(await ended(instants)).toEqual([]);
  });

  it.each([
    ["because it was asked to", "success", "0"],
    ["for good, which OnFailure= tells,", "exit-code", "78"],
  ])("%s is counted anew", async (_, result, status) => {
    expect(await ended([10, 60, 110, 190])).toEqual([]);
    expect(await ended([195], result, status)).toEqual([]);
    expect(await ended([200])).toEqual([]);
  });
});

describe("the alert of a unit", () => {
  it("reaches the operator's command on its standard input", async () => {
    const heard = join(dir, "heard");
    const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, ALERT_COMMAND: `cat >'${heard}'` };
    const args = [join(SYSTEMD, "alert.mjs"), "openclaw-gateway.service"];
    expect(await run(process.execPath, args, env)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(heard, "utf8")).toMatch(/^openclaw-gateway\.service on .* has failed.*journalctl -u/);
  });

  it("says of one that systemd starts again and again that it does", async () => {
    const heard = join(dir, "heard-again");
    const env = { PATH: `${dirname(process.execPath)}:/usr/bin:/bin`, ALERT_COMMAND: `cat >'${heard}'` };
    const args = [join(SYSTEMD, "alert.mjs"), "hotbags-sidecar.service:again"];
    expect(await run(process.execPath, args, env)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(readFileSync(heard, "utf8")).toMatch(
      /^hotbags-sidecar\.service on .* again and again .*systemd goes on starting it.*journalctl -u hotbags-sidecar\.service -n/,
    );
  });

  it("reaches the operator's webhook in the format that it takes, and says what the backup itself has said", async () => {
    const bodies: string[] = [];
    const server = createServer(async (request, response) => {
      bodies.push(await textOf(request));
      response.end();
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const stateDir = mkdtempSync(join(dir, "state-"));
    const problem = "there is no folder /var/backups/hotbags";
    noteBackup(stateDir, { made_at: null, file: null, uploaded: null, problem });
    const env = {
      PATH: "/usr/bin:/bin",
      BRIDGE_STATE_DIR: stateDir,
      ALERT_WEBHOOK_FORMAT: "discord",
      ALERT_WEBHOOK_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    };
    const args = [join(SYSTEMD, "alert.mjs"), "hotbags-backup.service"];
    expect(await run(process.execPath, args, env)).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(bodies.map((body) => JSON.parse(body))).toEqual([
      {
        content: expect.stringMatching(/The backup on .* failed.*It said: there is no folder.*journalctl/),
        allowed_mentions: { parse: [] },
      },
    ]);
  });

  it("fails where there is nobody to tell", async () => {
    const { code, stderr } = await run(process.execPath, [join(SYSTEMD, "alert.mjs"), "a.service"], {});
    expect([code, stderr]).toEqual([1, expect.stringMatching(/neither ALERT_WEBHOOK_URL nor ALERT_COMMAND/)]);
  });
});
