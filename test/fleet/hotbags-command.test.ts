import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, type TestContext } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { startHotBags } from "../hotbags/index.ts";
import { runHotbagsWith } from "../shop/hotbags-command.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases, urlOf } from "./databases.ts";

// The `hotbags` command where the store is in PostgreSQL, while no sidecar runs.

const PATIENCE_MS = 120_000;

let databases: Databases | string;

beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

const here = (test: Pick<TestContext, "skip">) => running(test, databases);

describe("hotbags doctor looks at the database of BRIDGE_STORE", { timeout: 120_000 }, () => {
  /** What it says of the database, as `level: seen -> advice`. */
  async function about(url: string, dir = "/nowhere"): Promise<string[]> {
    const { stdout } = await runHotbagsWith({ BRIDGE_STORE: url, BRIDGE_STATE_DIR: dir }, "doctor", "--json");
    const findings = JSON.parse(stdout) as { check: string; level: string; seen: string; advice: string | null }[];
    return findings
      .filter(({ check }) => check === "database")
      .map(({ level, seen, advice }) => `${level}: ${seen} -> ${advice}`);
  }

  it("that is empty, or has the bridge's tables", async (test) => {
    const all = here(test);
    const [empty] = await about(await all.make("empty"));
    expect(empty).toMatch(
      /^(ok: PostgreSQL \d+, UTF8, .*empty: its tables are made at the first start; |warn: a round trip)/,
    );
    const [made] = await about(await all.make());
    expect(made).toMatch(
      /^(ok: PostgreSQL \d+, UTF8, .*schema (\d+) of \2; a round trip takes [\d.]+ ms|warn: a round trip)/,
    );
  });

  it("that leaves a store in the folder behind", async (test) => {
    const all = here(test);
    const dir = mkdtempSync(join(tmpdir(), "hotbags-left-"));
    test.onTestFinished(() => rmSync(dir, { recursive: true }));
    await openStore(dir, systemClock).close();
    // Beside what is said of the server, which may be far.
    const left = (await about(await all.make(), dir)).filter((line) => line.startsWith("fail"));
    expect(left.join()).toMatch(/^fail: BRIDGE_STORE is set, and there is a store in .* -> run `hotbags migrate --to`/);
  });

  it("that can't be had, or won't do", async (test) => {
    const all = here(test);
    expect(await about(urlOf("/nowhere/at-all", "bridge"))).toEqual([
      expect.stringMatching(/^fail: .*the server's socket is not there: start the server/),
    ]);
    expect(await about(urlOf(all.host, "no_such"))).toEqual([
      expect.stringMatching(/^fail: .*there is no such database: make it/),
    ]);
    await all.server.rows("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    expect((await about(urlOf(all.host, "latin")))[0]).toMatch(/^fail: .* in LATIN1 -> make one with ENCODING 'UTF8'/);
    await all.server.rows("CREATE ROLE stranger LOGIN");
    const as = async (url: Promise<string>) => (await url).replace("postgres@", "stranger@");
    expect((await about(await as(all.make())))[0]).toMatch(/^fail: the table \w+ is another user's -> name the user/);
    expect((await about(await as(all.make("empty"))))[0]).toMatch(/^fail: the user may make no tables .* GRANT CREATE/);
  });
});

it("what there is can be looked at without a sidecar; a backup of the folder is none, and that is said", {
  timeout: 240_000,
}, async (test) => {
  const url = await here(test).make();
  const gateway = await new ScriptedGateway().start();
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  const sidecar = await BuiltSidecar.start({ hotbags, gateway, env: { BRIDGE_STORE: url } });
  test.onTestFinished(async () => {
    await sidecar.close();
    await hotbags.close();
    await gateway.stop();
  });
  const plugin = await sidecar.connect();
  const isTaken = async () => (await plugin.handIn(messageOf("a1", ANNA))).type === "ack";
  await until("it is acknowledged", isTaken, PATIENCE_MS);
  await until("it is delivered", () => hotbags.accepted.length === 1, PATIENCE_MS);
  plugin.socket.terminate();
  await sidecar.process.stop();
  const run = (...args: string[]) => runHotbagsWith({ BRIDGE_STORE: url, BRIDGE_STATE_DIR: sidecar.dir }, ...args);
  const status = await run("status", "--json");
  expect(status.stderr).toContain("this is what its database says");
  expect(JSON.parse(status.stdout)).toMatchObject({ ok: false, messages: { accepted: 1, delivered: 1 } });
  expect((await run("messages", "list")).stdout).toContain("a1");
  for (const args of [["figures"], ["alerts", "list"], ["chats", "list"], ["audit"]])
    expect(await run(...args), args.join(" ")).toMatchObject({ code: 0 });
  // Nobody works on its account, which is not well.
  expect(await run("fleet")).toMatchObject({ code: 1, stdout: expect.stringContaining("default") });
  const backup = await run("backup", sidecar.dir);
  expect(backup).toMatchObject({ code: 1, stderr: expect.stringContaining("pg_dump") });
  expect(await run("restore", import.meta.filename)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("pg_restore"),
  });
  // Whoever does not name it is told that there may be one.
  const { stderr } = await runHotbagsWith({ BRIDGE_STATE_DIR: sidecar.dir }, "status");
  expect(stderr).toContain("was not told its BRIDGE_STORE");
});
