import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, type TestContext } from "vitest";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { type HotBags, startHotBags } from "../hotbags/index.ts";
import { runHotbagsWith } from "../shop/hotbags-command.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { type Authority, type EncryptedServer, makeAuthority, startEncryptedServer } from "./authority.ts";

// The built sidecar on a PostgreSQL whose certificate is of an authority of the test's own, as a host's is.

const PATIENCE_MS = 120_000;

let authority: Authority;
/** It has the same name, and other keys. */
let impostor: Authority;
let server: EncryptedServer | string;
let folder: string;
let hotbags: HotBags;
let gateway: ScriptedGateway;
const sidecars: BuiltSidecar[] = [];

beforeAll(async () => {
  [authority, impostor] = [makeAuthority(), makeAuthority()];
  folder = mkdtempSync(join(tmpdir(), "hotbags-encryption-"));
  server = await startEncryptedServer(authority.sign("localhost"));
}, 120_000);
afterAll(async () => {
  if (typeof server !== "string") await server?.[Symbol.asyncDispose]();
  for (const each of [authority, impostor]) each?.[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  gateway = await new ScriptedGateway().start();
  hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }]);
});
afterEach(async () => {
  await Promise.all(sidecars.splice(0).map((sidecar) => sidecar.close()));
  await hotbags.close();
  await gateway.stop();
  // A test that has failed leaves nothing behind for the next one.
  if (typeof server !== "string") await server.shows(authority.sign("localhost"));
});

// No PostgreSQL here, and no mirror to have it from: the skip says so. CI has it.
const running = (test: Pick<TestContext, "skip">) => (typeof server === "string" ? test.skip(server) : server);

async function prepare(url: string) {
  const env = { BRIDGE_STORE: url, BRIDGE_INSTANCE: "first" };
  const sidecar = await BuiltSidecar.prepare({ hotbags, gateway, env });
  sidecars.push(sidecar);
  return sidecar;
}

/** A message is acknowledged, and answered on the phone. */
async function comesThrough(sidecar: BuiltSidecar, id: string): Promise<void> {
  const plugin = await sidecar.connect();
  const isAcknowledged = async () => (await plugin.handIn(messageOf(id, ANNA))).type === "ack";
  await until(`${id} is acknowledged`, isAcknowledged, PATIENCE_MS);
  await until(
    `${id} is answered`,
    () => gateway.sends.some(({ idempotencyKey }) => idempotencyKey === `to-${id}`),
    PATIENCE_MS,
  );
  plugin.socket.terminate();
}

/** What `hotbags doctor` says of the database. */
async function doctorSays(url: string): Promise<{ level: string; seen: string; advice: string | null }[]> {
  const { stdout } = await runHotbagsWith({ BRIDGE_STORE: url, BRIDGE_STATE_DIR: "/nowhere" }, "doctor", "--json");
  const findings = JSON.parse(stdout) as { check: string; level: string; seen: string; advice: string | null }[];
  return findings.filter(({ check }) => check === "database");
}

/** It is said in the log, in `/health` while the sidecar waits for it, and by `hotbags doctor`. Resolves with the sidecar that waits. */
async function isRefused(url: string, why: RegExp) {
  const sidecar = await prepare(url);
  // It waits for longer than a start takes elsewhere.
  sidecar.process.start().catch(() => {});
  const line = await sidecar.process.logs(({ msg }) => msg?.startsWith("not started yet: ") === true, PATIENCE_MS);
  expect(line).toMatchObject({ level: "error", alarm: true, msg: expect.stringMatching(why) });
  const { status, body } = await sidecar.health();
  expect({ status, ...body }).toMatchObject({ status: 503, ok: false, problems: [expect.stringMatching(why)] });
  expect(await doctorSays(url)).toEqual([
    { check: "database", level: "fail", seen: expect.stringMatching(why), advice: expect.anything() },
  ]);
  return sidecar;
}

describe("a sidecar whose PostgreSQL is encrypted", { timeout: 300_000 }, () => {
  it.for(["verify-full", "verify-ca", "require"])(
    "takes messages in, and looks who answers, by sslmode=%s",
    async (mode, test) => {
      const url = running(test).url("localhost", `sslmode=${mode}&sslrootcert=${authority.path}`);
      const sidecar = await prepare(url);
      await sidecar.process.start();
      await comesThrough(sidecar, `by-${mode}`);
      expect(await doctorSays(url)).toContainEqual(
        expect.objectContaining({
          level: "ok",
          seen: expect.stringMatching(/^PostgreSQL \d+, UTF8, encrypted, schema/),
        }),
      );
      const stranger = `sslmode=${mode}&sslrootcert=${impostor.path}`;
      expect(await doctorSays(running(test).url("localhost", stranger))).toMatchObject([{ level: "fail" }]);
    },
  );

  it.for<readonly [string, () => string, RegExp]>([
    ["no authority named", () => "sslmode=verify-full", /certificate.*sslrootcert.* name the file of the authority/],
    [
      "another authority named",
      () => `sslmode=verify-full&sslrootcert=${folder}/another.pem`,
      /certificate.*sslrootcert/,
    ],
    ["one of the same name", () => `sslmode=verify-full&sslrootcert=${impostor.path}`, /certificate.*sslrootcert/],
    [
      "a file that is not there",
      () => `sslmode=verify-full&sslrootcert=${folder}/none.pem`,
      /sslrootcert=\S*none\.pem.* can't be read \(ENOENT\): put/,
    ],
    [
      "a file without a certificate",
      () => `sslmode=verify-full&sslrootcert=${folder}/empty.pem`,
      /empty\.pem .*has no certificate/,
    ],
  ])("waits, and says what to do: %s", async ([, query, why], test) => {
    using another = makeAuthority("another one");
    renameSync(another.path, join(folder, "another.pem"));
    writeFileSync(join(folder, "empty.pem"), "none\n");
    await isRefused(running(test).url("localhost", query()), why);
  });

  it("waits where the certificate is of another name, and says which", async (test) => {
    const url = running(test).url("127.0.0.1", `sslmode=verify-full&sslrootcert=${authority.path}`);
    await isRefused(url, /127\.0\.0\.1 .*ERR_TLS_CERT_ALTNAME_INVALID.*have the address name the host as/);
  });

  it("waits for a server that encrypts nothing, and begins by itself when it does", async (test) => {
    const its = running(test);
    await its.shows(null);
    const url = its.url("localhost", `sslmode=require&sslrootcert=${authority.path}`);
    const sidecar = await isRefused(url, /does not support SSL.*ssl = on in postgresql\.conf.*sslmode=disable/);
    await its.shows(authority.sign("localhost"));
    await until("it has started", () => sidecar.lines.some(({ msg }) => msg === "sidecar started"), PATIENCE_MS);
    await comesThrough(sidecar, "later");
  });

  it("is told to encrypt where the server takes nothing else", async (test) => {
    await isRefused(running(test).url("localhost", "sslmode=disable"), /no encryption.*28000.*sslmode/);
  });

  it("takes another authority's certificate as soon as its file is another, without a restart", async (test) => {
    const its = running(test);
    const trusted = join(folder, "trusted.pem");
    using next = makeAuthority("the next authority");
    const put = (...of: Authority[]) => {
      writeFileSync(`${trusted}.new`, of.map(({ path }) => readFileSync(path, "utf8")).join(""));
      renameSync(`${trusted}.new`, trusted);
    };
    put(authority);
    const sidecar = await prepare(its.url("localhost", `sslmode=verify-full&sslrootcert=${trusted}`));
    await sidecar.process.start();
    await comesThrough(sidecar, "before");
    await its.shows(next.sign("localhost"));
    await its.hangUp();

    await until(
      "it is an outage",
      async () => (await sidecar.health()).body.problems.some((one) => /sslrootcert/.test(one)),
      PATIENCE_MS,
    );
    put(next);
    await comesThrough(sidecar, "after");
  });
});
