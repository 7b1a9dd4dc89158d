import { readdirSync, readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { buffer } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, beforeAll, expect, it } from "vitest";
import { examples, sign } from "../../contract/src/index.ts";
import { decide } from "../../examples/nextjs-supabase/lib/decide.ts";
import { ping, receive } from "../../examples/nextjs-supabase/lib/receive.ts";
import { NO_EXTRAS } from "../../sidecar/src/commands/index.ts";
import { checkContract } from "../../sidecar/src/contract/check/run.ts";
import { literal } from "../../sidecar/src/gateway/index.ts";
import { ScriptedGateway } from "../gateway/scripted-gateway.ts";
import { INBOUND_PATH } from "../hotbags/index.ts";
import { type Postgres, startPostgres } from "../setup/postgres.ts";
import { BuiltSidecar } from "../sidecar/built-sidecar.ts";
import { messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";

// The backend of examples/nextjs-supabase keeps the contract, on a real PostgreSQL, as its README promises.

const TOKEN = "bearer-of-the-test";
const SECRET = "secret-of-the-test";
const WEBHOOK_SECRET = `whsec_${btoa("webhook-secret-of-the-test")}`;
const RETRIES = 1_000;
const MIGRATIONS = fileURLToPath(new URL("../../examples/nextjs-supabase/supabase/migrations/", import.meta.url));

let postgres: Postgres | string | undefined;
let pool: pg.Pool;
let server: Server | undefined;
let url: URL;
/** Called with the key of each message before its answer goes out. True: it does not. */
let isLost: (key: string) => boolean | Promise<boolean> = () => false;

beforeAll(async () => {
  postgres = await startPostgres();
  if (typeof postgres === "string") return;
  pool = new pg.Pool({ host: postgres.host, user: "postgres", database: "postgres", max: 10 });
  for (const file of readdirSync(MIGRATIONS).toSorted()) await pool.query(readFileSync(MIGRATIONS + file, "utf8"));
  // What Next.js does around a route handler: a Request of what came, and a 500 where it throws.
  const next = createServer(async (incoming, response) => {
    const headers = new Headers(incoming.headers as Record<string, string>);
    const body = await buffer(incoming);
    const isPing = incoming.method === "HEAD";
    const request = new Request(
      `http://127.0.0.1${incoming.url}`,
      isPing ? { method: "HEAD", headers } : { method: "POST", headers, body },
    );
    const answer = await (isPing ? ping : receive)(request, {
      pool,
      token: TOKEN,
      hmacSecret: SECRET,
      webhookSecret: WEBHOOK_SECRET,
      decide,
    }).catch(() => Response.json({ error: "internal" }, { status: 500 }));
    if (await isLost(String(incoming.headers["idempotency-key"]))) return void response.destroy();
    response.writeHead(answer.status, Object.fromEntries(answer.headers));
    response.end(Buffer.from(await answer.arrayBuffer()));
  });
  server = next;
  await new Promise<void>((resolve) => next.listen(0, "127.0.0.1", resolve));
  const address = next.address();
  if (typeof address !== "object" || address === null) throw new Error("it does not listen");
  url = new URL(`http://127.0.0.1:${address.port}${INBOUND_PATH}`);
}, 120_000);

afterAll(async () => {
  if (postgres === undefined || typeof postgres === "string") return;
  server?.closeAllConnections();
  await new Promise((resolve) => server?.close(resolve));
  await pool.end();
  await postgres[Symbol.asyncDispose]();
});

it("passes every check of the contract", async ({ skip }) => {
  if (typeof postgres === "string") return skip(postgres);
  const previous = { token: "the former token", hmacSecret: null, webhookSecret: null };
  const target = {
    url,
    reportsUrl: null,
    eventsUrl: null,
    token: TOKEN,
    hmacSecret: SECRET,
    webhookSecret: WEBHOOK_SECRET,
    previous,
    extraHeaders: {},
    accepts: NO_EXTRAS,
    timeoutMs: 60_000,
  };
  const { checks } = await checkContract(target, { slowMs: 60_000 });
  // It wants none.
  expect(checks.filter(({ name, status }) => status !== "passed" && !/^(reports|events)$/.test(name))).toEqual([]);
}, 60_000);

it("with the bridge before it: one reply each, where answers are lost and the bridge is killed", async ({ skip }) => {
  if (typeof postgres === "string") return skip(postgres);
  const gateway = await new ScriptedGateway().start();
  const env = {
    HOTBAGS_BASE_URL: url.origin,
    HOTBAGS_BEARER_TOKEN: TOKEN,
    HOTBAGS_HMAC_DISABLED: "false",
    HOTBAGS_HMAC_SECRET: SECRET,
    HOTBAGS_WEBHOOK_SECRET: WEBHOOK_SECRET,
  };
  const sidecar = await BuiltSidecar.start({ gateway, env });
  const came: string[] = [];
  isLost = async (key) => {
    came.push(key);
    const isFirst = came.filter((one) => one === key).length === 1;
    if (isFirst && key === "KILLED") await sidecar.process.kill();
    return isFirst && key !== "TAKEN";
  };
  try {
    const texts = () => gateway.sends.map(({ message: text }) => text);
    const isDone = async (replies: number) => {
      const { commands } = (await sidecar.health<{ commands: { sent: number } }>()).body;
      return commands.sent === replies;
    };
    const plugin = await sidecar.connect();
    for (const [n, id] of ["TAKEN", "LOST-ONCE"].entries())
      expect(await plugin.handIn(messageOf(id, `+1555000100${n}`))).toMatchObject({ type: "ack" });
    // Killed while it sends one, the bridge would not know what became of it.
    await until("both are answered", () => isDone(2), 60_000);
    expect(await plugin.handIn(messageOf("KILLED"))).toMatchObject({ type: "ack" });
    await until("it is killed", () => came.includes("KILLED"), 60_000);
    await sidecar.process.ended();
    await sidecar.process.start();
    await until("all are answered", () => isDone(3), 60_000);
    expect(came.toSorted()).toEqual(["KILLED", "KILLED", "LOST-ONCE", "LOST-ONCE", "TAKEN"]);
    const replies = ["TAKEN", "LOST-ONCE", "KILLED"].map((id) => literal(`Thank you, we got: ${id}`));
    expect(texts().toSorted()).toEqual(replies.toSorted());
    plugin.socket.terminate();
  } finally {
    isLost = () => false;
    await sidecar.close();
    await gateway.stop();
  }
}, 90_000);

const message = { ...examples.text, message_id: "RETRIED" };

async function post(body: string): Promise<Response> {
  const headers = {
    ...{ authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
    ...{ "idempotency-key": "RETRIED", "x-hotbags-signature": await sign(body, SECRET) },
  };
  const request = new Request(url, { method: "POST", headers, body });
  return receive(request, { pool, token: TOKEN, hmacSecret: SECRET, webhookSecret: null, decide: decideAndCount });
}

let decided = 0;
const decideAndCount: typeof decide = (given) => {
  decided += 1;
  return decide(given);
};

it(`gives ${RETRIES} concurrent retries of one key one set of commands, decided once`, async ({ skip }) => {
  if (typeof postgres === "string") return skip(postgres);
  const body = JSON.stringify(message);
  const answers = await Promise.all(Array.from({ length: RETRIES }, () => post(body)));
  const statuses = new Set(answers.map(({ status }) => status));
  const texts = new Set(await Promise.all(answers.map((answer) => answer.text())));
  expect([...statuses]).toEqual([200]);
  expect(texts.size).toBe(1);
  expect(decided).toBe(1);
  const { rows } = await pool.query("select count(*)::int as count from whatsapp_inbound where message_id = 'RETRIED'");
  expect(rows).toEqual([{ count: 1 }]);
}, 60_000);

it("stores nothing of a message that it fails by: the next attempt decides anew", async ({ skip }) => {
  if (typeof postgres === "string") return skip(postgres);
  const body = JSON.stringify({ ...message, message_id: "FAILED" });
  const request = async () =>
    new Request(url, {
      method: "POST",
      headers: {
        ...{ authorization: `Bearer ${TOKEN}`, "idempotency-key": "FAILED" },
        "x-hotbags-signature": await sign(body, SECRET),
      },
      body,
    });
  const fails = () => Promise.reject(new Error("the model is away"));
  const backend = { pool, token: TOKEN, hmacSecret: SECRET, webhookSecret: null };
  await expect(receive(await request(), { ...backend, decide: fails })).rejects.toThrow("the model is away");
  expect((await receive(await request(), { ...backend, decide })).status).toBe(200);
});

it("takes a message again whose file was lost meanwhile", async ({ skip }) => {
  if (typeof postgres === "string") return skip(postgres);
  const lost = { ...examples.image, message_id: "LOST" };
  const media = lost.media.map(({ data_base64: _, ...item }) => ({ ...item, omitted: "the file was lost" }));
  const answers: unknown[] = [];
  for (const body of [lost, { ...lost, media }].map((one) => JSON.stringify(one))) {
    const headers = {
      ...{ authorization: `Bearer ${TOKEN}`, "idempotency-key": "LOST" },
      "x-hotbags-signature": await sign(body, SECRET),
    };
    const request = new Request(url, { method: "POST", headers, body });
    const answer = await receive(request, { pool, token: TOKEN, hmacSecret: SECRET, webhookSecret: null, decide });
    answers.push([answer.status, await answer.json()]);
  }
  expect(answers[0]).toEqual([200, expect.anything()]);
  expect(answers[1]).toEqual(answers[0]);
});
