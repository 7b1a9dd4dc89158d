import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ANNA, messageOf } from "../../../test/sidecar/message.ts";
import {
  ask,
  begin,
  deadLetter,
  door,
  end,
  loggedIn,
  reopen,
  store,
  unused,
} from "../../../test/sidecar/open-console.ts";
import { OperatorApi } from "../operator/api.ts";
import type { Running } from "../operator/running.ts";
import { API_PREFIX, ROUTES } from "../operator/schemas.ts";

beforeEach(begin);
afterEach(end);

describe("whoever may only look", () => {
  it("may not change anything, by any route that there is", async () => {
    const cookie = await loggedIn("look");
    const answered: [string, number][] = [];
    const expected: [string, number][] = [];
    for (const [name, route] of Object.entries(ROUTES).filter(([, { method }]) => method === "POST")) {
      const path = `${API_PREFIX}${route.path.replace(":id", "1")}`;
      answered.push([name, (await ask("POST", path, { headers: { cookie }, body: {} })).status]);
      expected.push([name, "only" in route ? 404 : 403]);
    }
    expect(answered).toEqual(expected);
    expect(answered.length).toBeGreaterThan(10);
  });

  it("sees lists, in which no customer's number is whole", async () => {
    await deadLetter();
    const { said, body } = await ask("GET", "/api/v1/messages", { headers: { cookie: await loggedIn("look") } });
    expect(said).toMatchObject({ messages: [{ state: "dead", chat_id: "+1555…01" }] });
    expect(body).not.toContain(ANNA);
  });
});

it("no id has a customer's number in it, and a message is found by its whole id all the same", async () => {
  const id = `order-${ANNA}-1`;
  const { seq, chat } = await store.messages.accept(messageOf(id));
  const reply = { commandId: `to-${id}`, type: "send_text", text: "yes", payload: "{}", refusal: null };
  await store.messages.delivered(seq, 200, "{}", [reply]);
  expect(await store.commands.nextOf(chat)).toBeDefined();
  const headers = { cookie: await loggedIn("look") };
  const found = await ask("GET", `/api/v1/messages?message_id=${encodeURIComponent(id)}`, { headers });
  expect(found.said).toMatchObject({ messages: [{ id: seq, message_id: "order-+1555…01-1" }] });
  const listed = await ask("GET", "/api/v1/messages", { headers });
  for (const { body } of [found, listed]) expect(body).not.toContain(ANNA);
});

it("whoever may act may change something, in their own name, unless the console is read-only", async () => {
  const seq = await deadLetter();
  const cookie = await loggedIn("act", "anna");
  const retry = () => ask("POST", "/api/v1/messages/retry", { headers: { cookie }, body: { ids: [seq] } });
  await reopen({ readOnly: true });
  expect([(await retry()).status, (await store.counters()).dead]).toEqual([403, 1]);
  const shown = await ask("GET", "/api/session", { headers: { cookie } });
  expect(shown.said).toMatchObject({ role: "look", read_only: true });
  await reopen();
  expect((await retry()).said).toMatchObject({ results: [{ id: seq, done: true }] });
  expect((await store.operator.audit(null, 1))[0]).toMatchObject({ who: "anna", action: "retry", result: "done" });
});

it("what is for the socket alone is not there, for whoever may act either", async () => {
  const cookie = await loggedIn("act");
  const only = Object.values(ROUTES).filter((route) => "only" in route);
  const answered = [];
  for (const { method, path } of only) {
    const body = method === "POST" ? { role: "act" } : undefined;
    const asked = await ask(method, `${API_PREFIX}${path.replace(":id", "1")}`, { headers: { cookie }, body });
    answered.push(asked.status);
  }
  expect(answered).toEqual(only.map(() => 404));
  expect(only.length).toBeGreaterThan(3);
});

it("a name that would look like another line, or be read the other way around, is nobody's", async () => {
  const api = new OperatorApi({ ...unused, running: { store: store.operator, console: door } as unknown as Running });
  for (const user of ["eve\n2026", "\u001b[31meve", "\u202eeve"])
    await expect(api.answer("makeConsoleLink", { role: "act", user }, 0, "root")).rejects.toMatchObject({
      status: 400,
    });
});

it("a code to link WhatsApp is given to nobody whose name is not in the audit", async () => {
  const step = { state: "scan", qr: "data:image/png;base64,AA==", reason: null };
  const running = { store: store.operator, startLogin: async () => step } as unknown as Running;
  const api = new OperatorApi({ ...unused, running });
  expect(await api.answer("startLogin", { account_id: "default" }, 0, "anna")).toEqual(step);
  const note = { who: "anna", action: "link WhatsApp anew", kind: "settings", result: "a code for account default" };
  expect((await store.operator.audit(null, 1))[0]).toMatchObject(note);
});

it("where it is switched off, whoever asks for a link is told how to switch it on", async () => {
  const running = { store: store.operator, console: null } as unknown as Running;
  const api = new OperatorApi({ ...unused, running });
  await expect(api.answer("makeConsoleLink", { role: "act" }, 0, "root")).rejects.toMatchObject({
    status: 409,
    message: expect.stringContaining("BRIDGE_CONSOLE=127.0.0.1:18791"),
  });
});

it("without a session nothing is told, not even what there is", async () => {
  for (const path of ["session", "sessions", "events", "v1/messages", "v1/nothing", "nothing"]) {
    const { status, said, headers } = await ask("GET", `/api/${path}`);
    expect([path, status, said["error"], headers["cache-control"]]).toEqual([
      path,
      401,
      expect.any(String),
      "no-store",
    ]);
  }
});
