import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page, Request } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { maskAddress } from "../../shared/src/index.ts";
import { CONNECTED } from "../gateway/scripted-gateway.ts";
import { askOperator } from "../shop/operator-api.ts";
import { CODES } from "../sidecar/codes.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { findBarriers } from "./axe.ts";
import { PATIENCE_MS, ShopWithConsole, type Visit } from "./shop.ts";
import { fillState, HOSTILE, OLD } from "./state.ts";

// The owner's page in Debian's Chromium, before the sidecar as it was built. One of each for all of them.

vi.setConfig({ testTimeout: 180_000, hookTimeout: 300_000 });

/** With UPDATE_SCREENSHOTS=1 the pictures of the docs are taken anew. */
const PICTURES = process.env["UPDATE_SCREENSHOTS"]
  ? fileURLToPath(new URL("../../docs/console/", import.meta.url))
  : null;

const VIEWS = [
  "now",
  "charts",
  "messages",
  "messages?state=dead",
  "chats",
  "chats/1",
  "alerts",
  "settings",
  "relink",
  "replies",
];

let door: ShopWithConsole;
let made: Record<string, number>;

beforeAll(async () => {
  const started = await ShopWithConsole.start(async (dir) => {
    made = await fillState(dir);
  });
  // Where there is no browser, CI fails and others are told.
  if (typeof started === "string") throw new Error(started);
  door = started;
});
afterAll(async () => {
  await door?.close();
});

const enter: ShopWithConsole["enter"] = (...args) => door.enter(...args);

async function leave({ context, problems }: Visit): Promise<void> {
  await context.close();
  expect(problems).toEqual([]);
}

/** For a machine that has much else to do. */
const poll = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: PATIENCE_MS });

const heading = (page: Page, name: string | RegExp) => page.getByRole("heading", { level: 1, name });

async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === null) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name}.png`) });
}

const idOf = (name: string) => made[name] ?? 0;

/** What the link to a message is called. */
async function nameOf(messageId: string): Promise<string> {
  const { messages } = await askOperator<{ messages: { id: number }[] }>(
    door.shop.sidecar.dir,
    "GET",
    `/api/v1/messages?message_id=${messageId}`,
  );
  return `Message ${messages[0]?.id}`;
}

/** What `hotbags audit` has, the newest first. */
async function audited() {
  const { entries } = await askOperator<{
    entries: { who: string; kind: string; subject: number }[];
  }>(door.shop.sidecar.dir, "GET", "/api/v1/audit?limit=20");
  return entries;
}

describe("every view", () => {
  it.each(["light", "dark"] as const)(
    "has no barrier that axe finds, and no word to say to the browser's console (%s)",
    async (colorScheme) => {
      const visit = await enter("now", { colorScheme, viewport: { width: 360, height: 740 } });
      const { page } = visit;
      const barriers: Record<string, string[]> = {};
      for (const view of [...VIEWS, `messages/${idOf("dead-3")}`]) {
        await page.goto(`${door.origin}/#/${view}`);
        await poll(() => page.getByText("Loading …").count()).toBe(0);
        if (view === "charts") await page.locator("canvas").first().waitFor();
        barriers[view] = await findBarriers(page);
      }
      expect(barriers).toEqual(Object.fromEntries(Object.keys(barriers).map((view) => [view, []])));
      // Nothing is wider than a phone.
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
      await leave(visit);
    },
  );
});

it("says in one sentence whether customers are answered, and follows what happens", async () => {
  const visit = await enter();
  const { page } = visit;
  const sentence = page.getByRole("main").getByRole("status").first();
  await poll(() => sentence.textContent()).toMatch(/Customers are being answered/);
  await poll(() => page.getByRole("img", { name: /Hot Bags: works/ }).count()).toBe(1);
  await picture(page, "now");
  await page.getByRole("link", { name: /messages? (was|were) given up/ }).click();
  await heading(page, "Messages").waitFor();
  await page.getByRole("link", { name: `Message ${idOf("dead-2")}` }).waitFor();
  await page.goto(`${door.origin}/#/messages`);
  await door.shop.plugin.handIn(messageOf("live-1"));
  // It comes by itself, without a reload.
  await page.getByRole("link", { name: await nameOf("live-1") }).waitFor();
  await leave(visit);
});

it("shows a customer's text as text, only when it is asked for, and that is in the audit", async () => {
  const visit = await enter(`messages/${idOf("doubt")}`);
  const { page } = visit;
  const reveal = page.getByRole("button", { name: "Show what was said" });
  await reveal.waitFor();
  expect(await page.content()).not.toContain("hacked");
  const looks = async () =>
    (await audited()).filter(
      ({ kind, subject, who }) => kind === "message" && subject === idOf("doubt") && who === "anna",
    );
  expect(await looks()).toHaveLength(0);
  await reveal.click();
  const said = page.locator("blockquote");
  await said.waitFor();
  expect(await said.textContent()).toBe(HOSTILE);
  expect(await said.locator("*").count()).toBe(0);
  expect(await page.evaluate("window.hacked")).toBeUndefined();
  await until("it is in the audit", async () => (await looks()).length === 1);
  await leave(visit);
});

/** A chat that is on no first page. */
async function open(page: Page, number: string): Promise<void> {
  await page.getByLabel("Customer's number").fill(number);
  await page.getByRole("button", { name: "Search" }).click();
  const name = `Conversation with ${maskAddress(number)}`;
  await page.getByRole("link", { name }).click();
  await heading(page, name).waitFor();
}

it("shows a conversation as the customer had it, and its words and number when they are asked for", async () => {
  const visit = await enter("chats");
  const { page } = visit;
  await open(page, BEN);
  await page.getByRole("button", { name: "Show what was said" }).click();
  await page.locator(".chat").getByText("Do you ship to Spain?").first().waitFor();
  await picture(page, "conversation");
  await page.getByRole("link", { name: "All chats" }).click();
  await open(page, ANNA);
  await page.getByRole("listitem").filter({ hasText: "in doubt" }).first().waitFor();
  expect(await page.content()).not.toContain("hacked");
  await page.getByRole("button", { name: "Show what was said" }).click();
  await poll(() => page.locator(".chat .said").allTextContents()).toContain(HOSTILE);
  expect(await page.evaluate("window.hacked")).toBeUndefined();
  await page.getByRole("button", { name: "Show the number" }).click();
  await page.getByText(ANNA, { exact: true }).waitFor();
  const looks = async () => (await audited()).filter(({ kind, who }) => kind === "chat" && who === "anna").length;
  await until("all three looks are in the audit", async () => (await looks()) >= 3);
  await leave(visit);
});

it("tells the second of two who repair one message that the first was faster", async () => {
  const [anna, ben] = await Promise.all(["anna", "ben"].map((user) => enter(`messages/${idOf("dead-1")}`, { user })));
  if (!anna || !ben) throw new Error("nobody is there");
  // His page can't know it in time.
  await ben.context.route("**/api/events", (route) => route.abort());
  await ben.page.reload();
  const ask = async ({ page }: Visit, name: string) => {
    await page.getByRole("button", { name }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    return dialog;
  };
  const [discard, retry] = [await ask(anna, "Discard"), await ask(ben, "Send again")];
  expect(await discard.textContent()).toContain("nobody can send it again");
  await picture(anna.page, "confirm");
  // A hasty Enter changes nothing, and Escape takes one back to where one was.
  expect(await anna.page.evaluate("document.activeElement.textContent")).toBe("Cancel");
  await anna.page.keyboard.press("Escape");
  await discard.waitFor({ state: "hidden" });
  expect(await anna.page.evaluate("document.activeElement.textContent")).toBe("Discard");
  await (await ask(anna, "Discard")).getByRole("button", { name: "Discard" }).click();
  await anna.page.getByText(`Message ${idOf("dead-1")} is discarded.`).waitFor();
  await retry.getByRole("button", { name: "Send again" }).click();
  await ben.page.getByText("Nothing was changed: it was discarded. Somebody else may have been faster.").waitFor();
  await poll(() => ben.page.locator(".facts .state").textContent()).toContain("discarded");
  // Hers can: what she reads is gone while she reads it, and she is told why.
  await anna.page.goto(`${door.origin}/#/messages/${idOf("dead-3")}`);
  await ask(anna, "Discard");
  await askOperator(door.shop.sidecar.dir, "POST", "/api/v1/messages/discard", { ids: [idOf("dead-3")] });
  await anna.page.getByText("Somebody else was faster.").last().waitFor();
  await Promise.all([leave(anna), leave(ben)]);
});

it("offers nothing that changes something to whoever may only look", async () => {
  const visit = await enter(`messages/${idOf("dead-2")}`, { role: "look" });
  await visit.page.getByRole("button", { name: "Show what was said" }).waitFor();
  expect(await visit.page.getByRole("button", { name: /Send again|Discard/ }).count()).toBe(0);
  await leave(visit);
});

it("asks for a link when the session is over, and goes on where one was, in every tab", async () => {
  const visit = await enter(`messages/${idOf("dead-2")}`, { user: "carol" });
  const { page, context } = visit;
  await heading(page, `Message ${idOf("dead-2")}`).waitFor();
  const { sessions } = await askOperator<{ sessions: { id: number; user: string }[] }>(
    door.shop.sidecar.dir,
    "GET",
    "/api/v1/console/sessions",
  );
  const id = sessions.find(({ user }) => user === "carol")?.id;
  await askOperator(door.shop.sidecar.dir, "POST", `/api/v1/console/sessions/${id}/end`, {});
  await page.getByText("Your session is over.").waitFor();
  await picture(page, "login");
  expect(await findBarriers(page)).toEqual([]);
  const other = await context.newPage();
  await other.goto(await door.link());
  await heading(other, "Now").waitFor();
  await heading(page, `Message ${idOf("dead-2")}`).waitFor();
  // The link is no secret any more: it is gone from the address, and works once.
  expect(other.url()).not.toContain("login");
  await leave(visit);
});

it("says since when it is cut off, and comes back by itself after a restart", async () => {
  const visit = await enter();
  const { page } = visit;
  await page.getByText("Customers are being answered").waitFor();
  door.shop.plugin.socket.terminate();
  await door.shop.sidecar.process.stop();
  const banner = page.getByText(/The connection to the sidecar is lost since \d\d:\d\d:\d\d\./);
  await banner.waitFor();
  expect(await page.locator("main.old").count()).toBe(1);
  await picture(page, "lost");
  await door.shop.sidecar.process.start();
  door.shop.plugin = await door.shop.sidecar.connect();
  await banner.waitFor({ state: "detached" });
  await page.getByText("Customers are being answered").waitFor();
  expect(await page.locator("main.old").count()).toBe(0);
  await leave(visit);
});

it("is as lively in the last of 20 tabs as in the first: they share one stream", async () => {
  const visit = await enter();
  const { context, page } = visit;
  const streams = new Set<Request>();
  context.on("request", (request) => {
    if (request.url().endsWith("/api/events")) streams.add(request);
  });
  for (const end of ["requestfinished", "requestfailed"] as const)
    context.on(end as "requestfailed", (request) => void streams.delete(request));
  await page.reload();
  const tabs: Page[] = [];
  while (tabs.length < 19) {
    const tab = await context.newPage();
    await tab.goto(`${door.origin}/#/messages`);
    tabs.push(tab);
  }
  for (const tab of tabs) await tab.getByRole("table").waitFor();
  await door.shop.plugin.handIn(messageOf("for-all-tabs"));
  const link = await nameOf("for-all-tabs");
  await Promise.all(tabs.map((tab) => tab.getByRole("link", { name: link }).waitFor()));
  await until("one of them has the stream", () => streams.size === 1);
  // When that one is closed, another takes it over.
  const [first] = streams;
  await first?.frame().page().close();
  await until("another has it", () => [...streams].some((other) => other !== first));
  await leave(visit);
});

it(`pages through ${OLD} messages, and finds one of them by its id`, async () => {
  const visit = await enter("messages");
  const { page } = visit;
  const first = () => page.getByRole("row").nth(1).textContent();
  await page.getByRole("table").waitFor();
  for (let n = 0; n < 3; n++) {
    const before = await first();
    await page.getByRole("button", { name: "Older" }).click();
    await poll(first).not.toBe(before);
  }
  await page.getByLabel("Number or message id").fill("old-17");
  await page.getByRole("button", { name: "Show" }).click();
  await poll(() => page.getByRole("row").count()).toBe(2);
  await page.getByRole("row").nth(1).getByRole("link").click();
  await page.getByText("old-17").waitFor();
  await leave(visit);
});

it("shows the code of an account that is logged out, another one in its place, and that it is linked", async () => {
  const { gateway } = door.shop;
  onTestFinished(() => {
    gateway.accounts = [CONNECTED];
  });
  gateway.accounts = [{ ...CONNECTED, connected: false, running: false, healthState: "logged-out" }];
  const scanned = Promise.withResolvers<void>();
  let waits = 0;
  gateway.login = async (method) => {
    if (method === "web.login.start") return { qrDataUrl: CODES["the first code"], message: "Scan this QR." };
    waits += 1;
    if (waits === 1) return { connected: false, qrDataUrl: CODES["the second code"], message: "QR refreshed." };
    await scanned.promise;
    gateway.accounts = [CONNECTED];
    return { connected: true, message: "Linked!" };
  };
  const visit = await enter();
  const { page } = visit;
  await page.getByText("WhatsApp is logged out").first().waitFor();
  await picture(page, "logged-out");
  await page.getByRole("link", { name: "Link the phone" }).click();
  await page.getByRole("button", { name: "Show a code" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.textContent()).toContain("OpenClaw forgets the link that it has.");
  await dialog.getByRole("button", { name: "Show a code" }).click();
  const code = page.getByRole("img", { name: /Code to link account default/ });
  await poll(() => code.getAttribute("src")).toBe(CODES["the second code"]);
  await picture(page, "relink");
  scanned.resolve();
  await page.getByText("The phone is linked.").first().waitFor();
  await page.goto(`${door.origin}/#/now`);
  await page.getByText("Customers are being answered").waitFor();
  await leave(visit);
});

it("lets a reply in doubt be judged", async () => {
  const visit = await enter("replies");
  const { page } = visit;
  const its = page.getByRole("listitem").filter({ hasText: `Message ${idOf("doubt-2")}` });
  await its.getByRole("button", { name: "The customer has it" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.textContent()).toContain("It counts as sent from now on.");
  await dialog.getByRole("button", { name: "The customer has it" }).click();
  await page.getByText(/Reply \d+ counts as sent\./).waitFor();
  await poll(() => its.count()).toBe(0);
  await leave(visit);
});

it("speaks German where the browser does, and English where that is chosen", async () => {
  const visit = await enter("settings", { locale: "de-DE", colorScheme: "dark" });
  const { page } = visit;
  await heading(page, "Einstellungen").waitFor();
  expect(await page.getAttribute("html", "lang")).toBe("de");
  await page.goto(`${door.origin}/#/now`);
  await page.getByText("Die Kunden bekommen Antwort").waitFor();
  await picture(page, "now-de-dark");
  await page.goto(`${door.origin}/#/settings`);
  await page.getByLabel("Sprache").selectOption("en");
  await heading(page, "Settings").waitFor();
  await page.reload();
  await heading(page, "Settings").waitFor();
  await leave(visit);
});
