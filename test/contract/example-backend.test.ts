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
import { INBOUND_PATH } from "../hotbags/index.ts";
import { type Postgres, startPostgres } from "../setup/postgres.ts";

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
