import type * as A from "./answers.ts";

/** An answer that is not the one asked for. `status` 0: there was none, for the sidecar can't be reached. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** No form and no page of another origin can send it. */
const OURS = { "X-Hotbags-Console": "1" };

/** Undefined ones are left out. */
type Query = Record<string, string | number | undefined>;

/** Asks the sidecar. Rejects with ApiError. */
async function ask<Answer>(method: string, path: string, body?: object): Promise<Answer> {
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers: { ...OURS, ...(body && { "Content-Type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  } catch {
    throw new ApiError(0, "the sidecar can't be reached");
  }
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && typeof answer === "object" && answer !== null) return answer as Answer;
  throw new ApiError(response.status, errorIn(answer) ?? `the sidecar answered ${response.status}`);
}

function errorIn(answer: unknown): string | undefined {
  if (typeof answer !== "object" || answer === null || !("error" in answer)) return undefined;
  return typeof answer.error === "string" ? answer.error : undefined;
}

function get<Answer>(path: string, query: Query = {}): Promise<Answer> {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const search = new URLSearchParams(given.map(([name, value]) => [name, String(value)]));
  return ask("GET", given.length > 0 ? `${path}?${search}` : path);
}

const post = <Answer>(path: string, body: object) => ask<Answer>("POST", path, body);

/** A switch in a query; left out where it is off. */
const flag = (isOn: boolean) => (isOn ? "true" : undefined);

/** All that the page asks. Each rejects with ApiError. */
export const api = {
  session: () => get<A.Session>("/api/session"),
  logIn: (token: string) => post<A.Session>("/api/session", { token }),
  logOut: () => ask<object>("DELETE", "/api/session"),
  sessions: () => get<{ sessions: A.ListedSession[] }>("/api/sessions"),
  endSession: (id: number) => ask<object>("DELETE", `/api/sessions/${id}`),

  path: () => get<A.Path>("/api/v1/path"),
  fleet: () => get<A.Fleet>("/api/v1/fleet"),
  figures: (range: A.Range) => get<A.Figures>("/api/v1/figures", { range }),
  messages: (query: A.MessageQuery) => get<A.Messages>("/api/v1/messages", query as Query),
  message: (id: number, content: boolean) => get<A.WholeMessage>(`/api/v1/messages/${id}`, { content: flag(content) }),
  retry: (ids: number[]) => post<{ results: A.Repair[] }>("/api/v1/messages/retry", { ids }),
  /** 100 at a time; `next` is what the next ones come `after`. */
  retryDead: (since: string, after: number | null) =>
    post<A.RetriedDead>("/api/v1/messages/retry-dead", { since, ...(after !== null && { after }) }),
  discard: (ids: number[]) => post<{ results: A.Repair[] }>("/api/v1/messages/discard", { ids }),
  commands: (query: A.CommandQuery) => get<A.Commands>("/api/v1/commands", query as Query),
  resolve: (id: number, as: "sent" | "resend" | "discard") => post<A.Repair>(`/api/v1/commands/${id}/resolve`, { as }),
  chats: (query: Query) => get<A.Chats>("/api/v1/chats", query),
  conversation: (chat: number, query: Query, content: boolean) =>
    get<A.Conversation>(`/api/v1/chats/${chat}/conversation`, { ...query, content: flag(content) }),
  pause: (chat: number, for_seconds: number, replies: "hold" | "skip") =>
    post<{ until: string }>(`/api/v1/chats/${chat}/pause`, { for_seconds, replies }),
  resume: (chat: number) => post<{ was_paused: boolean }>(`/api/v1/chats/${chat}/resume`, {}),
  number: (chat: number) => get<{ number: string }>(`/api/v1/chats/${chat}/number`),
  alerts: () => get<A.Alerts>("/api/v1/alerts"),
  config: () => get<A.Config>("/api/v1/config"),
  accounts: () => get<A.Accounts>("/api/v1/accounts"),
  startLogin: (account_id: string) => post<A.LoginStep>("/api/v1/accounts/login", { account_id }),
  waitLogin: (account_id: string, qr: string) => post<A.LoginStep>("/api/v1/accounts/login/wait", { account_id, qr }),
};

/** Where the bytes of a picture are. Each look at them is noted in the audit. */
export const fileUrl = (message: number, n: number) => `/api/v1/messages/${message}/files/${n}`;
