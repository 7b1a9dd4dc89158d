import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { CONNECTED, GATEWAY_TOKEN } from "../gateway/scripted-gateway.ts";
import { freePort } from "../hotbags/port.ts";
import { exampleConfig } from "../openclaw/config.ts";
import { OUR_PLUGIN } from "../openclaw/places.ts";
import { type Ran, runHotbags, runHotbagsWith } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { BEARER_TOKEN, BRIDGE_TOKEN } from "./built-sidecar.ts";
import { damage } from "./damage.ts";
import { ANNA, messageOf } from "./message.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// `hotbags doctor`, as an operator runs it.

// Each look is a process of its own: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 90_000 });

interface Finding {
  check: string;
  level: string;
  seen: string;
  advice: string | null;
}

/** What a look has found about one thing, as `level: seen -> advice`. */
function about(ran: Ran, check: string): string[] {
  const findings: Finding[] = JSON.parse(ran.stdout);
  return findings
    .filter((one) => one.check === check)
    .map(({ level, seen, advice }) => `${level}: ${seen} -> ${advice}`);
}

const levels = (ran: Ran) =>
  Object.fromEntries((JSON.parse(ran.stdout) as Finding[]).map(({ check, level }) => [check, level]));

let shop: ShopWithOperator;
/** OpenClaw's configuration, as in the example, with our plugin's folder. */
const config = () =>
  exampleConfig({ port: 18_789, root: "/", accountIds: ["default"], plugin: {}, sidecarUrl: "ws://127.0.0.1:18790" });

beforeAll(async () => {
  // Nobody has to answer there.
  shop = await ShopWithOperator.start({ ALERT_HEARTBEAT_URL: "http://127.0.0.1:9/" });
});
afterAll(() => shop.close());
beforeEach(async () => {
  shop.gateway.accounts = [CONNECTED];
  shop.gateway.config = await config();
  await until("it is healthy", async () => (await shop.sidecar.health()).body.ok);
}, 30_000);

const look = (...args: string[]) => runHotbags(shop.sidecar.dir, "doctor", ...args);

describe("beside a running sidecar", () => {
  it("says of each thing that it is well, asks the gateway as the sidecar, and creates nothing at Hot Bags", async () => {
    const connects = () => shop.gateway.asked.filter(({ method }) => method === "connect").length;
    const [before, alerts] = [connects(), shop.hook.alerts.length];
    const { code, stdout, stderr } = await look();
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout.match(/^\w+/gm)).toEqual([...Array(15).fill("ok"), "All"]);
    expect(stdout).toMatch(
      /^ok +OpenClaw +\/home\/shop\/\.openclaw\/openclaw\.json has all that openclaw\.json\.example/m,
    );
    expect(stdout).toContain(`${OUR_PLUGIN}: OpenClaw may load it`);
    expect(stdout).toMatch(/^ok +Hot Bags +127\.0\.0\.1:\d+ is reachable and takes the token/m);
    expect(connects()).toBe(before);
    expect(shop.hotbags.pings.slice(-2)).toEqual([204, 401]);
    expect([shop.hotbags.requests, shop.hotbags.violations, shop.hook.alerts.slice(alerts)]).toEqual([[], [], []]);
    expect(stdout).not.toContain(BEARER_TOKEN);
  });

  it("says what is wrong, and what to do, and sends an alert where it is asked for", async () => {
    const wrong = await config();
    wrong.channels.whatsapp.allowFrom = ["+5511987654321", "+525512345678", "+5491123456789", "+15550001001"];
    delete wrong["session"];
    wrong["cron"] = { enabled: true };
    const folder = mkdtempSync(join(tmpdir(), "hotbags-plugin-"));
    mkdirSync(join(folder, "plugin", "dist"), { recursive: true });
    writeFileSync(join(folder, "plugin", "dist", "index.js"), "");
    chmodSync(join(folder, "plugin"), 0o777);
    wrong.plugins.load = { paths: [join(folder, "plugin")] };
    shop.gateway.config = wrong;
    shop.gateway.accounts = [{ ...CONNECTED, connected: false, running: false, healthState: "logged-out" }];
    chmodSync(shop.sidecar.dir, 0o755);
    const account = async () => (await shop.health<{ gateway: { accounts: object } }>()).gateway.accounts;
    await until("it is known", async () => JSON.stringify(await account()).includes("logged this device out"));

    const ran = await look("--json", "--test-alert");
    chmodSync(shop.sidecar.dir, 0o700);
    rmSync(folder, { recursive: true });
    expect(ran.code).toBe(1);
    expect(about(ran, "WhatsApp")).toEqual([
      "fail: account default: The phone has logged this device out of WhatsApp; no message comes or goes. -> hotbags relink default --qr",
    ]);
    expect(about(ran, "sidecar")).toEqual([
      expect.stringMatching(/^warn: [\d.]+ runs, and says: account default: .* -> hotbags status$/),
    ]);
    expect(about(ran, "OpenClaw")).toEqual([
      expect.stringMatching(
        /^fail: OpenClaw itself may answer customers .* -> add to openclaw\.json: session: \{sendPolicy/,
      ),
      expect.stringMatching(/^fail: all direct chats wait for each other -> add to openclaw\.json: session: \{dmScope/),
      expect.stringMatching(
        /^warn: WhatsApp may know 1 customer\(s\) of Brazil .* -> list both forms, such as \+55 31 9/,
      ),
      expect.stringMatching(/^warn: .* of Mexico .* -> list both forms, such as \+52 1 55/),
      expect.stringMatching(/^warn: .* of Argentina .* -> list both forms, such as \+54 9 11/),
      expect.stringMatching(
        /^warn: .* has other lines than .*: session\.notifyOnCreate: false; cron\.enabled: false -> /,
      ),
    ]);
    expect(ran.stdout).not.toMatch(/987654321|5512345678|1123456789/);
    expect(about(ran, "plugin's folder")).toEqual([
      expect.stringMatching(
        /^fail: .*plugin can be written by every user, so OpenClaw blocks the plugin -> chmod -R o-w /,
      ),
    ]);
    expect(about(ran, "state folder")).toEqual([
      expect.stringMatching(/^warn: .* can be entered by other users: it has customers' messages -> chmod 700 /),
    ]);
    expect(about(ran, "alerts")).toEqual([
      "ok: ALERT_WEBHOOK_URL has taken a test alert: see that it has reached you -> null",
      "ok: ALERT_HEARTBEAT_URL is asked for while all is well -> null",
    ]);
    const text = expect.stringContaining("Nothing is wrong");
    expect(shop.hook.alerts).toContainEqual(expect.objectContaining({ alert: "test", text }));
  });

  it("says that the gateway and the plugin are gone", async () => {
    shop.plugin.socket.terminate();
    await shop.gateway.stop();
    const problems = async () => JSON.stringify((await shop.sidecar.health()).body.problems);
    await until("it is known", async () => /no gateway listens.*plugin is not connected/.test(await problems()));
    const ran = await look("--json");
    await shop.gateway.start();
    shop.plugin = await shop.sidecar.connect();
    expect(about(ran, "gateway")).toEqual([expect.stringMatching(/^fail: no gateway listens at ws:.* -> start it/)]);
    expect(about(ran, "plugin")).toEqual([
      expect.stringMatching(/^fail: it is not connected.* -> `openclaw hotbags status`/),
    ]);
    expect(levels(ran)).toMatchObject({ WhatsApp: "skipped", "Hot Bags": "ok", database: "ok", sidecar: "warn" });
  });
});

describe("where no sidecar runs", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), "hotbags-doctor-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  /** All that the sidecar will need. */
  const environment = () => ({
    HOTBAGS_BASE_URL: shop.hotbags.url,
    HOTBAGS_BEARER_TOKEN: BEARER_TOKEN,
    OPENCLAW_GATEWAY_URL: `ws://127.0.0.1:${shop.gateway.port}`,
    OPENCLAW_GATEWAY_TOKEN: GATEWAY_TOKEN,
    BRIDGE_TOKEN,
    BRIDGE_STATE_DIR: join(dir, "state"),
    BRIDGE_LOW_DISK_BYTES: "0",
  });
  const lookAlone = (changes: Record<string, string> = {}, ...args: string[]) =>
    runHotbagsWith({ ...environment(), ...changes }, "doctor", "--json", ...args);

  it("before the first start: says what is there, and that the sidecar is to be started; makes nothing", async () => {
    const file = join(dir, "sidecar.env");
    const lines = Object.entries(environment()).map(([name, value]) => `${name}="${value}"\n`);
    writeFileSync(file, `# For systemd.\n${lines.join("")}`, { mode: 0o600 });
    const ran = await runHotbagsWith({}, "doctor", "--json", "--env-file", file);
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    const well = Object.fromEntries(
      [
        "Node",
        "settings",
        "state folder",
        "clock",
        "gateway",
        "OpenClaw",
        "plugin's folder",
        "WhatsApp",
        "Hot Bags",
      ].map((name) => [name, "ok"]),
    );
    expect(levels(ran)).toMatchObject({
      ...well,
      plugin: "skipped",
      database: "skipped",
      alerts: "warn",
      sidecar: "warn",
    });
    expect(about(ran, "sidecar")).toEqual([expect.stringMatching(/systemctl start hotbags-sidecar$/)]);
    expect(about(ran, "alerts")).toEqual([
      expect.stringMatching(/^warn: nobody is told when something breaks -> set ALERT_WEBHOOK_URL or/),
      expect.stringMatching(/^warn: nobody is told when the whole machine is gone -> set ALERT_HEARTBEAT_URL to /),
    ]);
    expect(existsSync(join(dir, "state"))).toBe(false);
  });

  it("with nothing set: says what is missing, how doctor gets it, and goes on with the rest", async () => {
    const ran = await runHotbagsWith({ BRIDGE_STATE_DIR: join(dir, "state") }, "doctor");
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/^fail +settings +HOTBAGS_BASE_URL: is not set$/m);
    expect(ran.stdout.match(/--env-file \/etc\/hotbags\/sidecar\.env/g)).toHaveLength(1);
    expect(ran.stdout).toMatch(/^skipped +Hot Bags +the settings won't do, see above$/m);
    expect(ran.stdout).toMatch(/4 things wrong, \d things? to look at\.\n$/);
  });

  it("says of a secret that it has a space, and of a file that everybody may read it", async () => {
    const file = join(dir, "bearer");
    writeFileSync(file, "x");
    chmodSync(file, 0o644);
    const { HOTBAGS_BEARER_TOKEN: _, ...rest } = environment();
    const [withSpace, readable] = await Promise.all([
      lookAlone({ HOTBAGS_BEARER_TOKEN: " a-token\n" }),
      runHotbagsWith({ ...rest, HOTBAGS_BEARER_TOKEN_FILE: file }, "doctor", "--json"),
    ]);
    expect(about(withSpace, "settings")).toEqual([
      expect.stringMatching(
        /^fail: HOTBAGS_BEARER_TOKEN: begins or ends with a space or a line break.* write it with printf/,
      ),
    ]);
    expect(about(readable, "settings")).toEqual([
      expect.stringMatching(/HOTBAGS_BEARER_TOKEN_FILE: every user.*chmod 600/),
    ]);
  });

  it("says what refuses it, that alerts don't arrive, that the disk is nearly full and a restore was cut off", async () => {
    const port = await freePort();
    const server = createServer((_, response) => void response.writeHead(404).end()).listen(port, "127.0.0.1");
    const wrong = {
      ...{ HOTBAGS_BEARER_TOKEN: "another", OPENCLAW_GATEWAY_TOKEN: "another" },
      ...{ ALERT_WEBHOOK_URL: `http://127.0.0.1:${port}/secret`, ALERT_COMMAND: "exit 3" },
      BRIDGE_LOW_DISK_BYTES: String(1024 ** 4),
    };
    mkdirSync(join(dir, "state"), { mode: 0o700 });
    writeFileSync(join(dir, "state", "restore.unfinished"), "before-restore-then\n");
    const ran = await lookAlone(wrong, "--test-alert");
    server.close();
    expect(about(ran, "Hot Bags")).toEqual([
      expect.stringMatching(/^fail: Hot Bags answered 401 .* -> .*HOTBAGS_BEARER_TOKEN/),
    ]);
    expect(about(ran, "gateway")).toEqual([expect.stringMatching(/^fail: .*OPENCLAW_GATEWAY_TOKEN.* -> /)]);
    expect(about(ran, "alerts")).toEqual([
      expect.stringMatching(
        /^fail: ALERT_WEBHOOK_URL has not taken a test alert: the answer was 404: .* -> docs\/alerts\.md/,
      ),
      expect.stringMatching(/^fail: ALERT_COMMAND has not taken a test alert: it ended with code 3 -> /),
      expect.stringMatching(/^warn: nobody is told when the whole machine is gone -> set ALERT_HEARTBEAT_URL to /),
    ]);
    expect(about(ran, "database")).toEqual([
      expect.stringMatching(/^fail: a restore .* was cut off .*before-restore-then -> hotbags restore .* --force/),
    ]);
    expect(about(ran, "disk")).toEqual([expect.stringMatching(/^fail: [\d.]+ [MG]iB free at .* -> make room/)]);
    expect(ran.stdout).not.toMatch(/secret|another/);
  });

  it("reads OpenClaw's file while the gateway is down, and says where it is broken", async () => {
    const path = join(dir, "openclaw.json");
    const nowhere = `ws://127.0.0.1:${await freePort()}`;
    const env = { OPENCLAW_CONFIG_PATH: path, OPENCLAW_GATEWAY_URL: nowhere };
    writeFileSync(path, "{ session: { dmScope: 'main' }, // JSON5\n }");
    const read = await lookAlone(env);
    writeFileSync(path, "{\n  session: {{");
    const broken = await lookAlone(env);
    expect(about(read, "OpenClaw")).toContainEqual(
      expect.stringMatching(/^fail: all direct chats wait for each other/),
    );
    expect(about(broken, "OpenClaw")).toEqual([
      `fail: ${path} can't be read (line 2, column 13) -> \`openclaw config validate\` says what is wrong`,
    ]);
  });

  it("finds a damaged page", async () => {
    const stateDir = join(dir, "state");
    mkdirSync(stateDir, { mode: 0o700 });
    const store = openStore(stateDir, systemClock);
    await store.messages.accept(messageOf("A", ANNA));
    store.close();
    damage(join(stateDir, "bridge.sqlite"), "messages");
    expect(about(await lookAlone(), "database")).toEqual([
      expect.stringMatching(/^fail: it is damaged: .* -> .*restore a backup/),
    ]);
  });
});
