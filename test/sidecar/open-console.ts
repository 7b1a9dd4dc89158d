import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { type IncomingMessage, type RequestOptions, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { Console, type ConsoleSettings } from "../../sidecar/src/console/console.ts";
import { openLog } from "../../sidecar/src/log.ts";
import { OperatorApi } from "../../sidecar/src/operator/api.ts";
import type { ApiParts, Running } from "../../sidecar/src/operator/running.ts";
import { openStore, type Role, type Store } from "../../sidecar/src/store/index.ts";
import { SimulatedClock } from "../simulated-clock.ts";
import { until } from "../until.ts";
import { messageOf } from "./message.ts";

// The console alone, before a store and no more of a sidecar: one for each test. `beforeEach(begin); afterEach(end);`

export let dir: string;
export let clock: SimulatedClock;
export let store: Store;
export let door: Console;
/** What it has to do with what is around it. */
export let told: {
  /** What `event: health` tells. */
  health: object;
  /** How often it was asked for that. */
  looks: number;
  /** Who listens to what happens. */
  listeners: number;
  /** Of the log. */
  lines: string[];
};

export async function begin(): Promise<void> {
  dir = mkdtempSync(join(tmpdir(), "hotbags-console-"));
  clock = new SimulatedClock();
  told = { health: { answered: "yes" }, looks: 0, listeners: 0, lines: [] };
  store = openStore(dir, clock);
  door = await open();
}

export async function end(): Promise<void> {
  await door.stop();
  store.close();
  rmSync(dir, { recursive: true });
}

/** The sidecar ends, and starts again. */
export async function restart(): Promise<void> {
  await door.stop();
  store.close();
  store = openStore(dir, clock);
  door = await open();
}

/** Another one in its place, with these settings. */
export async function reopen(changes: Partial<ConsoleSettings> = {}): Promise<void> {
  await door.stop();
  door = await open(changes);
}

/** What a whole sidecar answers from, and is not asked for here. */
export const unused: Omit<ApiParts, "running"> = {
  reads: {} as ApiParts["reads"],
  pausedChats: async () => [],
  alerts: async () => ({ open: [], past: [] }),
  status: notAsked,
  path: notAsked,
  figures: notAsked,
};

function notAsked(): never {
  throw new Error("nobody asks for it here");
}

async function open(changes: Partial<ConsoleSettings> = {}): Promise<Console> {
  // A page of the test before may be gone only now: it is not this test's that goes.
  const mine = told;
  const log = openLog("info", { write: (line) => void mine.lines.push(line) });
  const address = { host: "127.0.0.1", port: 0 };
  const opened = new Console({
    ...{ address, origin: null, readOnly: false, ...changes },
    ...{ folder: join(dir, "page"), access: store.console, timers: clock, log },
  });
  const api = new OperatorApi({
    ...unused,
    reads: store.operator,
    // Of what a whole sidecar has, only what is asked for here.
    running: { store: store.operator, onRetry: () => {}, console: opened } as unknown as Running,
  });
  opened.start(
    api,
    (listener) => {
      const stop = store.onChange(listener);
      mine.listeners += 1;
      return () => {
        mine.listeners -= 1;
        stop();
      };
    },
    async () => {
      mine.looks += 1;
      return mine.health;
    },
  );
  await until("it listens", () => opened.port !== null);
  return opened;
}

export interface Answer {
  status: number;
  headers: IncomingMessage["headers"];
  body: string;
  /** Of JSON. */
  said: Record<string, unknown>;
}

const own = () => `http://127.0.0.1:${door.port}`;

/** As the console's page asks, unless `headers` say otherwise; undefined leaves one out. */
export async function ask(
  method: string,
  path: string,
  { headers = {}, body }: { headers?: Record<string, string | undefined>; body?: unknown } = {},
): Promise<Answer> {
  const usual = method === "GET" ? {} : { origin: own(), "x-hotbags-console": "1", "content-type": "application/json" };
  const given = Object.entries({ ...usual, ...headers }).filter(([, value]) => value !== undefined);
  const options: RequestOptions = {
    host: "127.0.0.1",
    port: door.port,
    method,
    path,
    agent: false,
    headers: Object.fromEntries(given),
  };
  const call = request(options).end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(call, "response")) as [IncomingMessage];
  const read = await text(response);
  const isJson = response.headers["content-type"]?.startsWith("application/json");
  return {
    ...{ status: response.statusCode ?? 0, headers: response.headers, body: read },
    said: isJson ? JSON.parse(read) : {},
  };
}

export const tokenOf = async (role: Role = "act", user = "anna") =>
  (await door.makeLink(user, role, "root")).url.split("#login=")[1] ?? "";

export const logInWith = (token: unknown, headers = {}) => ask("POST", "/api/session", { headers, body: { token } });

/** Resolves with the cookie, as a browser sends it. */
export async function loggedIn(role: Role = "act", user = "anna"): Promise<string> {
  const { headers } = await logInWith(await tokenOf(role, user));
  return headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
}

/** One that Hot Bags has refused. Resolves with its number. */
export async function deadLetter(): Promise<number> {
  const { seq } = await store.messages.accept(messageOf("A"));
  await store.messages.dead(seq, 422, "refused", 10);
  return seq;
}

/** Opens the events as a page does. */
export async function follow(cookie: string) {
  const call = request({
    host: "127.0.0.1",
    port: door.port,
    path: "/api/events",
    agent: false,
    headers: { cookie },
  }).end();
  const [response] = (await once(call, "response")) as [IncomingMessage];
  const page = { text: "", isOver: false, status: response.statusCode, close: () => response.destroy() };
  response.setEncoding("utf8").on("data", (data: string) => {
    page.text += data;
  });
  response.on("error", () => {});
  response.on("close", () => {
    page.isOver = true;
  });
  return page;
}
