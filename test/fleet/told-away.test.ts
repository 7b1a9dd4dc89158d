import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startBrowser } from "../console/browser.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { startHotBags } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { type Ran, runHotbagsWith } from "../shop/hotbags-command.ts";
import { askOperator } from "../shop/operator-api.ts";
import { BEARER_TOKEN, BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { ANNA, messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { type Databases, running, startDatabases } from "./databases.ts";

// What an operator and the owner hear while the database of a sidecar that runs is away: by the built command and the console.

const PATIENCE_MS = 120_000;

let databases: Databases | string;
beforeAll(async () => {
  databases = await startDatabases();
}, 120_000);
afterAll(async () => {
  if (typeof databases !== "string") await databases[Symbol.asyncDispose]();
});

/** A shop that has answered one customer, with an owner who has the page open. */
async function openShop(url: string) {
  const gateway = await new ScriptedGateway().start();
  const hotbags = await startHotBags({ token: BEARER_TOKEN });
  hotbags.answers(({ message_id }) => [{ command_id: `to-${message_id}`, type: "send_text", text: "hello" }]);
  const origin = `http://127.0.0.1:${await freePort()}`;
  const env = { BRIDGE_STORE: url, BRIDGE_CONSOLE: new URL(origin).host };
  const sidecar = await BuiltSidecar.start({ hotbags, gateway, env });
  const plugin = await sidecar.connect();
  const isTaken = async () => (await plugin.handIn(messageOf("a1", ANNA))).type === "ack";
  await until("a message is acknowledged", isTaken, PATIENCE_MS);
  await until("all is well", async () => (await sidecar.health()).body.ok, PATIENCE_MS);
  const link = async () => {
    const asked = { role: "act", user: "anna" };
    return (await askOperator<{ url: string }>(sidecar.dir, "POST", "/api/v1/console/links", asked)).url;
  };
  const ours = { origin, "x-hotbags-console": "1", "content-type": "application/json" };
  const token = (await link()).split("#login=")[1];
  const login = await fetch(`${origin}/api/session`, {
    ...{ method: "POST", headers: ours, body: JSON.stringify({ token }) },
  });
  const cookie = login.headers.getSetCookie()[0]?.split(";")[0] ?? "";
  return {
    ...{ sidecar, origin, link },
    hotbagsCommand: (...args: string[]) => runHotbagsWith({ ...sidecar.env, BRIDGE_STATE_DIR: sidecar.dir }, ...args),
    async page(method: "GET" | "POST", path: string, as = cookie) {
      const body = method === "POST" ? { body: "{}" } : {};
      const response = await fetch(`${origin}${path}`, { method, headers: { ...ours, cookie: as }, ...body });
      return { status: response.status, said: (await response.json()) as Record<string, unknown> };
    },
    async [Symbol.asyncDispose]() {
      plugin.socket.terminate();
      await sidecar.close();
      await hotbags.close();
      await gateway.stop();
    },
  };
}

type Shop = Awaited<ReturnType<typeof openShop>>;

const OUTBOX = /what customers write waits in the plugin's outbox, nothing is lost/;
const SINCE = /the database can't be written since 20\d\d-\S+Z: /;

/** Said for a script, and nothing but that. */
const json = ({ stdout }: Ran) => JSON.parse(stdout) as Record<string, unknown>;

async function expectTold({ hotbagsCommand, page, sidecar }: Shop): Promise<void> {
  const status = await hotbagsCommand("status");
  expect(status).toMatchObject({ code: 1, stderr: "" });
  expect(status.stdout).toMatch(/^Customers are not being answered: nothing can be written\./);
  expect(status.stdout.replace(/\s+/g, " ")).toMatch(SINCE);
  expect(status.stdout.replace(/\s+/g, " ")).toMatch(OUTBOX);
  // What needs no database is known.
  expect(status.stdout).toMatch(/plugin +connected/);
  expect(status.stdout).toMatch(/account default.*: WhatsApp is connected/);
  expect(status.stdout).toMatch(/messages +not known while the database is away/);
  expect(status.stdout).not.toContain("restore");

  const forScripts = await hotbagsCommand("status", "--json");
  expect(forScripts.code).toBe(1);
  expect(json(forScripts)).toMatchObject({ ok: false, problems: [expect.stringMatching(SINCE)] });
  expect(json(forScripts)).not.toHaveProperty("messages");

  for (const args of [["messages", "list"], ["commands", "list"], ["alerts", "list"], ["audit"]]) {
    const list = await hotbagsCommand(...args, "--json");
    expect(list).toMatchObject({ code: 3, stderr: expect.stringMatching(/^hotbags: the database is away since/) });
    expect(json(list)).toEqual({ error: expect.stringMatching(/: hotbags status says more$/) });
  }

  const doctor = await hotbagsCommand("doctor", "--json");
  expect(doctor).toMatchObject({ code: 1, stderr: "" });
  const findings = JSON.parse(doctor.stdout) as { check: string; level: string; seen: string }[];
  const of = (name: string) => findings.filter(({ check }) => check === name);
  expect(of("database")).toMatchObject([{ level: "fail", seen: expect.stringContaining("can't be reached") }]);
  expect(of("sidecar")).toMatchObject([{ level: "warn", seen: expect.stringMatching(SINCE) }]);
  expect(of("gateway")).toMatchObject([{ level: "ok" }]);

  // The owner's page: who was let in sees how it is, and changes nothing.
  expect(await page("GET", "/api/session")).toMatchObject({ status: 200, said: { user: "anna", role: "look" } });
  const hops = expect.arrayContaining([expect.objectContaining({ hop: "sidecar", state: "down", code: "store" })]);
  expect(await page("GET", "/api/v1/path")).toMatchObject({ status: 200, said: { answered: "no", dead: null, hops } });
  const away = { status: 503, said: { error: expect.stringMatching(/^the database is away since/) } };
  expect(await page("GET", "/api/v1/messages")).toMatchObject(away);
  expect(await page("POST", "/api/v1/messages/retry")).toMatchObject({ status: 403 });
  // Of nobody else can be said who it is.
  const strange = `hotbags_console=${"x".repeat(43)}`;
  expect(await page("GET", "/api/session", strange)).toMatchObject(away);
  expect(sidecar.lines.filter(({ msg }) => msg === "an operator's request failed")).toEqual([]);
}

async function expectWell({ hotbagsCommand, page, sidecar }: Shop): Promise<void> {
  await until("all is well again", async () => (await sidecar.health()).body.ok, PATIENCE_MS);
  expect(await hotbagsCommand("status")).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 delivered/) });
  expect(await page("GET", "/api/session")).toMatchObject({ status: 200, said: { role: "act" } });
}

const isKnown = async ({ sidecar }: Shop) => SINCE.test((await sidecar.health()).body.problems.join());

describe("while the database is away", { timeout: 400_000 }, () => {
  it("that has ended: the command and the page say so, since when, what it means and what to do", async (test) => {
    const here = running(test, databases);
    await using shop = await openShop(await here.make());
    await here.postgres.crash();
    try {
      await until("it is known", () => isKnown(shop), PATIENCE_MS);
      await expectTold(shop);
    } finally {
      await here.postgres.start();
    }
    await expectWell(shop);
  });

  it("also where the sidecar was started meanwhile, and waits for it", async (test) => {
    const here = running(test, databases);
    await using shop = await openShop(await here.make());
    await here.postgres.crash();
    const { process } = shop.sidecar;
    await process.kill();
    const started = process.start();
    try {
      await process.logs(({ msg }) => msg?.startsWith("not started yet: ") === true, PATIENCE_MS);
      const status = await shop.hotbagsCommand("status", "--json");
      expect(status).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/start the server.*started waits for it/),
      });
      expect(json(status)).toEqual({ error: expect.stringMatching(/^no sidecar runs on .*outbox meanwhile\.$/) });
    } finally {
      await here.postgres.start();
    }
    await started;
    const accepted = async () =>
      (await shop.sidecar.health<{ messages?: { accepted: number } }>()).body.messages?.accepted;
    await until("it works on what it had", async () => (await accepted()) === 1, PATIENCE_MS);
  });

  it("the owner's page shows it, also when it is opened anew, and goes on by itself", async (test) => {
    const here = running(test, databases);
    await using shop = await openShop(await here.make());
    const browser = await startBrowser();
    test.onTestFinished(() => browser.close());
    const open = async (address: string, cookie?: string) => {
      const context = await browser.newContext({ locale: "en-GB" });
      context.setDefaultTimeout(PATIENCE_MS);
      if (cookie) await context.addCookies([{ name: "hotbags_console", value: cookie, url: shop.origin }]);
      const page = await context.newPage();
      await page.goto(address);
      return page;
    };
    const owner = await open(await shop.link());
    await owner.getByText("Customers are being answered.").waitFor();
    await here.postgres.crash();
    try {
      await owner.getByText("Customers are not being answered: nothing can be written.").waitFor();
      await owner
        .getByText(/is not known now: the sidecar can't read its database/)
        .first()
        .waitFor();
      await owner.reload();
      await owner.getByText("Customers are not being answered: nothing can be written.").waitFor();
      // Of another one nobody can say who it is.
      const other = await open(shop.origin, "x".repeat(43));
      await other
        .getByRole("alert")
        .getByText(/could not be loaded: the database is away since/)
        .waitFor();
    } finally {
      await here.postgres.start();
    }
    await owner.getByText(/^Customers are being answered/).waitFor();
  });

  it("that says nothing: within some seconds that it does not answer, and then the same", async (test) => {
    const here = running(test, databases);
    await using shop = await openShop(await here.make());
    const thaw = here.postgres.freeze();
    try {
      const status = await shop.hotbagsCommand("status");
      expect(status).toMatchObject({ code: 1, stderr: "" });
      const said = status.stdout.replace(/\s+/g, " ");
      expect(said).toMatch(/Customers are not being answered: nothing can be written. It may pass by itself\./);
      expect(said).toMatch(/the database has not answered for 5 s\. See whether the PostgreSQL of BRIDGE_STORE runs/);
      expect(said).toMatch(OUTBOX);
      await until("it is known", () => isKnown(shop), PATIENCE_MS);
      await expectTold(shop);
    } finally {
      thaw();
    }
    await expectWell(shop);
  });
});
