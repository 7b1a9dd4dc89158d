import { existsSync, statSync } from "node:fs";
import { request } from "node:http";
import { userInfo } from "node:os";
import { text } from "node:stream/consumers";
import { codeOf, freeBytesAt, VERSION } from "@hotbags/shared";
import { listAlerts } from "../alerts/list.ts";
import { readLastBackup } from "../checks/last-backup.ts";
import { systemClock } from "../clock.ts";
import { readSeries } from "../figures/series.ts";
import { OperatorApi } from "../operator/api.ts";
import { OperatorError } from "../operator/error.ts";
import { API_PREFIX, type Output, type RawInput, ROUTES, type RouteName, refusal } from "../operator/schemas.ts";
import { asHeader, operatorSocketOf, USER_HEADER } from "../operator/server.ts";
import { pathWithoutSidecar } from "../ops/path.ts";
import { countCommands, countMessages, countOutbound, countReports } from "../ops/stored-counts.ts";
import { StoreUnusableError, type StoreView, viewStoreAt } from "../store/index.ts";
import { inOptions } from "./complaint.ts";
import { CliError, EXIT } from "./exit-code.ts";

/** Whom the command asks: the sidecar that runs, or else the database that it left. */
export interface Operator {
  readonly stateDir: string;
  /** A sidecar answers. Otherwise nothing can be changed. */
  readonly isRunning: boolean;
  /** `id`: where the path has one. Throws CliError. */
  ask<Name extends RouteName>(name: Name, input: RawInput<Name>, id?: number): Promise<Output<Name>>;
  close(): void;
}

/** `database`: see readDatabase; asked only where no sidecar runs. Throws CliError when there is neither a sidecar nor a database. */
export async function connectOperator(stateDir: string, database: () => string | null): Promise<Operator> {
  return (await connectSidecar(stateDir)) ?? (await offline(stateDir, database()));
}

/** The sidecar that runs; null: none does. Throws CliError when it does not answer, or this user may not ask it. */
export async function connectSidecar(stateDir: string): Promise<Operator | null> {
  const socket = operatorSocketOf(stateDir);
  try {
    // Any answer will do; this one needs no database, which may be away.
    await send(socket, "GET", `${API_PREFIX}${ROUTES.accounts.path}`, undefined, ANSWER_MS);
    return {
      stateDir,
      isRunning: true,
      ask: (name, input, id) => askSidecar(socket, name, input, id),
      close: () => {},
    };
  } catch (error) {
    const code = codeOf(error);
    if (code === "EACCES" || code === "EPERM") throw mayNot(stateDir);
    if (code !== "ENOENT" && code !== "ECONNREFUSED" && code !== "ENOTDIR") throw error;
    return null;
  }
}

/** So long may nothing come from a sidecar that runs, ms. */
const ANSWER_MS = 15_000;

/** Where OpenClaw, and WhatsApp behind it, have to do something first, ms. */
const LONGER_MS: Partial<Record<RouteName, number>> = { startLogin: 75_000, waitLogin: 30_000 };

/** Who is at the keyboard, behind sudo too. */
export function whoAmI(): string {
  const { username } = userInfo();
  const behind = process.env["SUDO_USER"];
  return behind ? `${behind} (as ${username})` : username;
}

async function askSidecar<Name extends RouteName>(socket: string, name: Name, input: RawInput<Name>, id?: number) {
  const { method, path, output } = ROUTES[name];
  const where = `${API_PREFIX}${path.replace(":id", String(id))}`;
  const query = new URLSearchParams();
  if (method === "GET")
    for (const [key, value] of Object.entries(input)) if (value !== undefined) query.set(key, String(value));
  const target = query.size > 0 ? `${where}?${query}` : where;
  const content = method === "POST" ? JSON.stringify(input) : undefined;
  const { status, body } = await send(socket, method, target, content, LONGER_MS[name] ?? ANSWER_MS);
  const answer: unknown = JSON.parse(body);
  if (status === 200) return output.parse(answer) as Output<Name>;
  throw refusedBy(status, refusal.parse(answer).error);
}

/** Of an answer's status, other than 200. */
function refusedBy(status: number, said: string): CliError {
  if (status === 400) return new CliError(EXIT.usage, inOptions(said));
  return new CliError(status === 503 ? EXIT.unreachable : EXIT.no, said);
}

async function send(socketPath: string, method: string, path: string, body: string | undefined, answerMs: number) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
  const headers = {
    [USER_HEADER]: asHeader(whoAmI()),
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const call = request({ socketPath, method, path, headers, timeout: answerMs }, (response) => {
    text(response).then((read) => resolve({ status: response.statusCode ?? 0, body: read }), reject);
  });
  call.on("error", reject);
  call.on("timeout", () => {
    call.destroy(new CliError(EXIT.unreachable, `the sidecar runs, but has not answered for ${answerMs / 1_000} s`));
  });
  call.end(body);
  return promise;
}

const WAITING =
  "One that was started waits for it, which /health and its log say, and goes on by itself; what customers write waits in the plugin's outbox meanwhile.";

async function offline(stateDir: string, database: string | null): Promise<Operator> {
  let view: StoreView;
  try {
    view = await viewStoreAt({ stateDir, database }, systemClock);
  } catch (error) {
    if (!(error instanceof StoreUnusableError)) throw error;
    // A start that waits for a database has nobody who answers yet.
    const waits = database !== null && error.passes ? ` ${WAITING}` : "";
    throw new CliError(EXIT.unreachable, `no sidecar runs on ${stateDir}, and ${error.message}${waits}`);
  }
  const api = new OperatorApi({
    reads: view.operator,
    running: null,
    alerts: (past) => alertsOf(view, past),
    status: () => statusOf(view, stateDir),
    path: async () => pathWithoutSidecar(await view.counts(), (await view.alerts.open()).length),
    figures: (range) => readSeries(view.figures, range, systemClock.now()),
    pausedChats: () => view.pausedChats(),
  });
  return {
    stateDir,
    isRunning: false,
    async ask(name, input, id = 0) {
      try {
        return await api.answer(name, input, id, whoAmI());
      } catch (error) {
        if (!(error instanceof OperatorError)) throw error;
        throw refusedBy(error.status, error.message);
      }
    },
    close: () => view.close(),
  };
}

async function alertsOf({ alerts }: StoreView, past: number): Promise<Output<"alerts">> {
  return listAlerts({ open: await alerts.open(), past: await alerts.past(past) });
}

/** What can be said of a sidecar that does not run: `messages` and `commands` as it would, but for what only it knows. */
async function statusOf(view: StoreView, stateDir: string): Promise<Output<"status">> {
  const counts = await view.counts();
  return {
    version: VERSION,
    ok: false,
    problems: ["the sidecar does not run: start it (systemctl start hotbags-sidecar)"],
    messages: countMessages(counts),
    commands: { ...countCommands(counts), paused_chats: (await view.pausedChats()).length },
    reports: countReports(counts, "reports"),
    events: countReports(counts, "events"),
    outbound: countOutbound(counts),
    disk: { free_bytes: await freeBytesAt(stateDir) },
    last_backup: readLastBackup(stateDir),
  };
}

function mayNot(stateDir: string): CliError {
  const owner = existsSync(stateDir) ? statSync(stateDir).uid : null;
  const as = owner === null ? "" : `: run it as its owner (sudo -u '#${owner}' hotbags …)`;
  return new CliError(EXIT.unreachable, `this user may not operate the sidecar of ${stateDir}${as}`);
}
