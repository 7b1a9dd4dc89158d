import { execFile } from "node:child_process";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openclaw, type Said } from "../openclaw/cli.ts";
import { configPath } from "../openclaw/places.ts";
import { copyStateTemplate } from "../openclaw/state-template.ts";
import { CUSTOMERS, openShop, type Shop } from "../shop/shop.ts";
import { until } from "../until.ts";

// One story, in this order, as an operator lives it: pack, install, look, run, look at the running bridge, uninstall. Each command of the
// real CLI takes seconds, so that each is run once.
const PLUGIN = fileURLToPath(new URL("../../plugin", import.meta.url));
const CUSTOMER = CUSTOMERS[0] ?? "";
const QUESTION = "Is the red bag still there?";

let root: string;
let stateDir: string;
let tarball: string;
let installed: Said;
let shop: Shop | undefined;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "hotbags-package-"));
  stateDir = join(root, "state");
  await copyStateTemplate(stateDir, console.log);
  // As the README says: plugins are installed first, the configuration comes after.
  await writeFile(configPath(root), `{ "gateway": { "mode": "local" } }\n`);
  const { stdout } = await promisify(execFile)("npm", ["pack", PLUGIN, "--pack-destination", root, "--silent"]);
  tarball = join(root, stdout.trim());
  installed = await openclaw(
    root,
    stateDir,
    "plugins",
    "install",
    `npm-pack:${tarball}`,
    "--force",
    "--accept-capabilities",
  );
});
afterAll(async () => {
  await shop?.close();
  await rm(root, { recursive: true, force: true });
});

test("the tarball has the bundle, its licences and the manifest, and needs no other package", async () => {
  const { stdout } = await promisify(execFile)("tar", ["-tzf", tarball]);
  expect(stdout.trim().split("\n").toSorted()).toEqual(
    ["dist/LICENSE", "dist/THIRD-PARTY-LICENSES", "dist/index.js", "openclaw.plugin.json", "package.json"].map(
      (file) => `package/${file}`,
    ),
  );
  const { stdout: manifest } = await promisify(execFile)("tar", ["-xzOf", tarball, "package/package.json"]);
  const { dependencies, peerDependencies, optionalDependencies } = JSON.parse(manifest);
  expect([dependencies, peerDependencies, optionalDependencies]).toEqual([undefined, undefined, undefined]);
});

test("openclaw installs it without a network, and warns of nothing but that nobody reviewed a local tarball", () => {
  expect(installed).toMatchObject({ code: 0 });
  expect(installed.stdout).toContain("Installed plugin: hotbags");
  const warnings = `${installed.stdout}\n${installed.stderr}`
    .split("\n")
    .filter((line) => /warn|fail|error/i.test(line));
  expect(warnings).toEqual([`WARNING - Installing plugin from local npm-pack archive: npm-pack:${tarball}`]);
});

test("a gateway with the installed plugin passes a message from end to end", { timeout: 300_000 }, async () => {
  shop = await openShop({ installedIn: stateDir, log: console.log });
  shop.hotbags.answers(({ message_id }) => [
    { command_id: `reply-${message_id}`, type: "send_text", text: "Two left." },
  ]);
  const anna = shop.whatsapp.contact(CUSTOMER);
  const sent = await anna.says(QUESTION);
  expect(await shop.hotbags.receives(QUESTION)).toMatchObject({ message_id: sent.id, from: CUSTOMER });
  expect((await anna.hears()).text).toBe("Two left.");
  expect(shop.hotbags.violations).toEqual([]);
});

/** The real CLI beside the running gateway. */
function beside(...args: string[]): Promise<Said> {
  if (shop === undefined) throw new Error("no gateway runs");
  return openclaw(dirname(shop.gateway.configPath), stateDir, ...args);
}

test("plugins inspect, plugins doctor and plugins list show it loaded, without a warning", {
  timeout: 200_000,
}, async () => {
  const inspected = await beside("plugins", "inspect", "hotbags", "--runtime", "--json");
  expect(inspected).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(inspected.stdout)).toMatchObject({
    plugin: {
      id: "hotbags",
      status: "loaded",
      origin: "global",
      enabled: true,
      dependencyStatus: { hasDependencies: false },
    },
    typedHooks: ["message_received", "message_sent", "reply_dispatch", "reply_payload_sending"].map((name) => ({
      name,
    })),
    ...{ services: ["hotbags"], cliCommands: ["hotbags"], diagnostics: [], compatibility: [] },
    install: { artifactKind: "npm-pack", version: "0.1.0" },
  });
  const doctor = await beside("plugins", "doctor", "--json");
  expect(doctor).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(doctor.stdout)).toEqual({
    ...{
      ok: true,
      pluginErrors: [],
      diagnostics: [],
      sourceShadowing: [],
      compatibility: [],
      configurationWarnings: [],
    },
  });
  const list = await beside("plugins", "list", "--json");
  expect(list).toMatchObject({ code: 0, stderr: "" });
  const listed = JSON.parse(list.stdout) as { plugins: { id: string }[]; registry: { diagnostics: unknown[] } };
  expect(listed.registry.diagnostics).toEqual([]);
  expect(listed.plugins.filter(({ id }) => id === "hotbags")).toEqual([
    expect.objectContaining({ enabled: true, version: "0.1.0", status: "loaded" }),
  ]);
});

/**
 * What it says of any gateway that has no model, no paired devices and no address but loopback, as ours is meant to be.
 */
const OPENCLAWS_OWN = [
  "warning core/doctor/codex-session-routes agents.defaults.model",
  "warning core/doctor/node-hosting-preconditions gateway.bind",
  "warning core/doctor/node-hosting-preconditions plugins.entries.device-pair.enabled",
];

test("openclaw doctor warns of nothing that is ours", { timeout: 120_000 }, async () => {
  const { stdout, stderr } = await beside("doctor", "--lint", "--json");
  expect(stderr).toBe("");
  const { findings } = JSON.parse(stdout) as { findings: { checkId: string; path: string; severity: string }[] };
  expect(findings.map(({ severity, checkId, path }) => `${severity} ${checkId} ${path}`).toSorted()).toEqual(
    OPENCLAWS_OWN,
  );
});

test("openclaw hotbags status tells of the link, the outbox, the last ack and the hook", {
  timeout: 120_000,
}, async () => {
  const shown = await beside("hotbags", "status", "--json");
  expect(shown).toMatchObject({ code: 0, stderr: "" });
  const report = JSON.parse(shown.stdout);
  expect(report).toMatchObject({
    ...{ ok: true, problems: [], in_memory: 0, outbox: { messages: 0, bytes: 0, set_aside: 0, oldest: null } },
    gateway: { running: true, openclaw_version: "2026.9.6" },
    link: { up: true, why: null },
  });
  expect(report.last_ack_at).toBeGreaterThan(report.link.since);
  expect(report.hook.captures).toBe(1);
  expect(report.hook.max_ms).toBeGreaterThan(0);
});

test("openclaw hotbags parked lists dead letters, beside the gateway", { timeout: 120_000 }, async () => {
  expect(await beside("hotbags", "parked", "list", "--json")).toMatchObject({ code: 0, stdout: "[]\n" });
});

test("openclaw hotbags parked says what is wrong, with a code that a script can use", {
  timeout: 120_000,
}, async () => {
  const unsaid = await beside("hotbags", "parked", "discard");
  expect(unsaid).toMatchObject({ code: 2, stderr: expect.stringContaining("Name their ids, or say --all") });
});

test("with the sidecar away it says what waits and since when, and ends with code 1", {
  timeout: 120_000,
}, async () => {
  await shop?.sidecar.stop();
  const sent = await shop?.whatsapp.contact(CUSTOMER).says("And the blue one?");
  await shop?.gateway.logged(new RegExp(`${sent?.id} captured`), { timeoutMs: 60_000 });
  const { code, stdout } = await beside("hotbags", "status");
  expect(code).toBe(1);
  expect(stdout).toMatch(/^ {2}link {6}down since \d{4}-.* to ws:\/\/127\.0\.0\.1:\d+\/: /m);
  expect(stdout).toMatch(/^ {2}outbox {4}1 waiting \(\d+ bytes\), 0 dead letters$/m);
  expect(stdout).toMatch(
    new RegExp(`^ {2}oldest {4}${sent?.id} of \\+1555…\\d\\d has waited \\d+ s, since \\d{4}-`, "m"),
  );
  expect(stdout).toMatch(/^ {2}hook {6}p50 [\d.]+ ms, p95 [\d.]+ ms, max [\d.]+ ms over the last 2 messages$/m);
  expect(stdout).toContain("✗ the link to the sidecar is down");
  for (const secret of ["blue", CUSTOMER]) expect(stdout).not.toContain(secret);
});

test("uninstalling it breaks nothing, and leaves the messages that wait", { timeout: 200_000 }, async () => {
  await shop?.gateway.stop();
  const uninstalled = await beside("plugins", "uninstall", "hotbags", "--force");
  expect(uninstalled).toMatchObject({ code: 0, stdout: expect.stringContaining('Uninstalled plugin "hotbags"') });
  const doctor = await beside("plugins", "doctor", "--json");
  expect(JSON.parse(doctor.stdout)).toMatchObject({
    ok: true,
    pluginErrors: [],
    diagnostics: [],
    configurationWarnings: [],
  });
  expect(await readdir(join(stateDir, "hotbags"))).toContain("outbox.sqlite");
  await until("no folder of the plugin is left", async () =>
    (await readdir(join(stateDir, "npm", "projects"))).every((folder) => !folder.includes("hotbags")),
  );
});
