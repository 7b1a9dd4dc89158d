import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { examples } from "../../contract/src/index.ts";
import { EVENTS_PATH, REPORTS_PATH } from "../../shared/src/report.ts";
import { readRules } from "../../sidecar/src/contract/mock/rules.ts";
import { INBOUND_PATH } from "../hotbags/index.ts";
import { freePort } from "../hotbags/port.ts";
import { until } from "../until.ts";
import { type RunningMock, runContract, startMockCommand } from "./command.ts";

// Each of them starts the command, most more than once.
vi.setConfig({ testTimeout: 90_000 });

// `hotbags contract mock` and `check`, as they were built, as a developer of Hot Bags uses them.

const TOKEN = "bearer-of-the-test";
const folder = mkdtempSync(join(tmpdir(), "hotbags-contract-"));

/** A file in the test's folder that only its owner may read. */
function fileOf(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content, { mode: 0o600 });
  return path;
}

const RULES = [
  { when: { text: "^fail" }, fault: { status: 503, retryAfter: 2 }, times: 1 },
  { when: { text: "price|cost" }, reply: "It is 30 euros." },
  { when: { media: "image" }, commands: [{ type: "pause_chat", for_seconds: 600 }] },
  { reply: ["You wrote: {text}", "Anything else?"] },
];

let mock: RunningMock;
beforeAll(async () => {
  const port = await freePort();
  mock = await startMockCommand(
    { HOTBAGS_BEARER_TOKEN_FILE: fileOf("token", `${TOKEN}\n`) },
    port,
    ...["--rules", fileOf("rules.json", JSON.stringify(RULES)), "--json"],
  );
});
afterAll(() => mock.stop());

function post(id: string, fields: object, token = TOKEN): Promise<Response> {
  return fetch(mock.url + INBOUND_PATH, {
    method: "POST",
    headers: {
      ...{ authorization: `Bearer ${token}`, "idempotency-key": id, "x-idempotency-key": id },
      ...{
        "x-transport-session-id": "whatsapp:default",
        "x-hotbags-contract": "1",
        "x-hotbags-accept": "send_text, pause_chat, resume_chat",
      },
      ...{ "content-type": "application/json", "user-agent": "hotbags-bridge/0.1.0" },
    },
    body: JSON.stringify({ ...examples.text, message_id: id, ...fields }),
  });
}
const read = async <Body>(response: Response) => (await response.json()) as Body;
const commandsFor = async (id: string, fields: object) =>
  (await read<{ commands: unknown }>(await post(id, fields))).commands;

describe("the mock", () => {
  it("answers by the first rule that matches, and a key always the same", async () => {
    const price = [{ command_id: "A-1", type: "send_text", text: "It is 30 euros." }];
    expect(await commandsFor("A", { text: "What does it COST?" })).toEqual(price);
    expect(await commandsFor("A", { text: "What does it COST?" })).toEqual(price);
    expect(await commandsFor("B", { text: "$& hello" })).toEqual([
      { command_id: "B-1", type: "send_text", text: "You wrote: $& hello" },
      { command_id: "B-2", type: "send_text", text: "Anything else?" },
    ]);
    const media = examples.image.media;
    expect(await commandsFor("C", { media })).toEqual([{ command_id: "C-1", type: "pause_chat", for_seconds: 600 }]);
  });

  it("fails as a rule says, for so many requests", async () => {
    const failed = await post("D", { text: "fail once" });
    expect([failed.status, failed.headers.get("retry-after")]).toEqual([503, "2"]);
    expect((await post("D", { text: "fail once" })).status).toBe(200);
  });

  it("refuses what breaks the contract, and shows it with what came", async () => {
    expect((await post("E", {}, "wrong")).status).toBe(401);
    expect((await post("F", { text: "<script>alert(1)</script>" })).status).toBe(200);
    const page = await fetch(`${mock.url}/`);
    expect(page.headers.get("content-security-policy")).toContain("default-src 'none'");
    const html = await page.text();
    expect(html).toContain("Authorization is not the bearer token");
    expect(html).toContain("&#60;script&#62;alert(1)");
    expect(html).not.toContain("<script");
    const rows = await read<{ message_id: string }[]>(await fetch(`${mock.url}/requests.json`));
    expect(rows.find((row) => row.message_id === "F")).toMatchObject({
      status: 200,
      commands: [{ command_id: "F-1" }, { command_id: "F-2" }],
    });
    // A page of another site that has a name of its own lead here.
    const status = await new Promise((resolve) =>
      request(`${mock.url}/`, { headers: { host: "evil.example" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end(),
    );
    expect(status).toBe(403);
  });

  it("prints a line for each request, without a word of it", async () => {
    await post("G", { text: "the secret of Anna" });
    await until("its line is there", () => mock.lines().includes('"G"'));
    expect(mock.lines()).toContain('{"at":');
    expect(mock.lines()).not.toMatch(/secret of Anna|15550001001|bearer-of/);
  });

  it("goes on with its rules as they are written anew, and with the last ones that will do", async () => {
    const before = mock.said().length;
    const said = (what: string) => until(what, () => mock.said().slice(before).includes(what));
    fileOf("rules.json", JSON.stringify([{ when: { text: "^anew" }, reply: "New." }, ...RULES]));
    await said("rules.json was read again");
    expect(await commandsFor("H", { text: "anew" })).toMatchObject([{ text: "New." }]);
    fileOf("rules.json", '[{"reply":');
    await said("rules.json: the rules are not JSON. The former ones stay in use");
    expect(await commandsFor("I", { text: "anew" })).toMatchObject([{ text: "New." }]);
  });

  it.each([
    ["no JSON", "{", "the rules are not JSON"],
    ["no list", "{}", 'the rules must be a list, such as [{ "reply": "Hello" }]'],
    ["a list of no rules", '["Hello"]', '0: must be a rule, such as { "reply": "Hello" }'],
    ["a fault that is none", '[{"fault":"explode"}]', '0.fault: must be such as "drop"'],
    ["an expression that is none", '[{"when":{"text":"("}}]', "0.when.text: must be a regular expression"],
  ])("says what is wrong with rules with %s", (_, rules, why) => {
    expect(() => readRules(rules)).toThrow(why);
  });

  it("ends with 2 where it can't start with its rules", async () => {
    const ran = await runContract({}, "mock", "--port", String(await freePort()), "--rules", fileOf("bad.json", "{"));
    expect(ran.code).toBe(2);
    expect(ran.stderr).toContain("the rules are not JSON");
  });
});

describe("the check", () => {
  it("passes on the mock, for people, for scripts and for CI", async () => {
    const junit = join(folder, "report.xml");
    const env = {
      HOTBAGS_BEARER_TOKEN_FILE: fileOf("token", TOKEN),
      HOTBAGS_REPORTS_PATH: REPORTS_PATH,
      HOTBAGS_EVENTS_PATH: EVENTS_PATH,
    };
    const ran = await runContract(env, "check", "--url", mock.url, "--slow-ms", "60000", "--json", "--junit", junit);
    expect(ran).toMatchObject({ code: 0 });
    const report = JSON.parse(ran.stdout);
    const skipped = report.checks.filter(({ status }: { status: string }) => status === "skipped");
    expect(skipped.map(({ name }: { name: string }) => name)).toEqual(["signature", "webhook", "former-secret"]);
    const xml = readFileSync(junit, "utf8");
    expect(xml).toContain(`tests="${report.checks.length}" failures="0" skipped="3"`);
  });

  it("ends with 1 where something does not hold, says what to do, and what it left behind", async () => {
    const port = await freePort();
    const careless = await startMockCommand({}, port, "--rules", fileOf("careless.json", '[{"reply":"x"}]'));
    const env = { HOTBAGS_BEARER_TOKEN: TOKEN, HOTBAGS_BASE_URL: careless.url };
    const ran = await runContract(env, "check", "--slow-ms", "60000");
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/FAILED {3}bearer: a wrong token got 200\n +to do: answer 401/);
    expect(ran.stdout).toMatch(/, 1 failed, 3 skipped/);
    expect(ran.stdout).toMatch(/It left \d+ messages behind.*CHECK-/);
    expect(await careless.stop()).toBe(0);
  });

  it("finds that its report can't be written before it sends anything", async () => {
    const env = { HOTBAGS_BEARER_TOKEN: TOKEN };
    const port = String(await freePort());
    const ran = await runContract(
      env,
      "check",
      "--url",
      `http://127.0.0.1:${port}`,
      "--junit",
      join(folder, "no", "r"),
    );
    expect([ran.code, ran.stdout]).toEqual([2, ""]);
    expect(ran.stderr).toContain("can't be written (ENOENT)");
  });

  it("says once, and at once, that nobody is there", async () => {
    const ran = await runContract(
      { HOTBAGS_BEARER_TOKEN: TOKEN },
      "check",
      "--url",
      `http://127.0.0.1:${await freePort()}`,
    );
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(
      /^FAILED {3}reachable: .*ECONNREFUSED.*\n {9}to do: .*\n\n0 passed, 1 failed, \d+ can't be told before that is mended\.\n$/,
    );
  });

  it.each([
    ["http to elsewhere", ["--url", "http://shop.example"], { HOTBAGS_BEARER_TOKEN: TOKEN }, "must be https", 2],
    [
      "an address that has the path already",
      ["--url", `https://shop.example${INBOUND_PATH}/`],
      { HOTBAGS_BEARER_TOKEN: TOKEN },
      `--url: leave ${INBOUND_PATH} away`,
      78,
    ],
    [
      "a path that is none",
      ["--url", "https://shop.example"],
      { HOTBAGS_BEARER_TOKEN: TOKEN, HOTBAGS_REPORTS_PATH: "reports" },
      "HOTBAGS_REPORTS_PATH: must be a path that begins with a slash, such as /api/whatsapp\n",
      78,
    ],
    ["no address", [], { HOTBAGS_BEARER_TOKEN: TOKEN }, "--url", 78],
    ["no token", ["--url", "https://shop.example"], {}, "HOTBAGS_BEARER_TOKEN", 78],
  ])("asks nobody with %s", async (_, args, env, why, code) => {
    const ran = await runContract(env, "check", ...args);
    expect(ran.code).toBe(code);
    expect(ran.stderr).toContain(why);
  });
});
