import { describe, expect, it } from "vitest";
import { findBarriers } from "./axe.ts";
import { door, enter, heading, idOf, leave, picture, poll } from "./visits.ts";

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

it.each(["relink/%E0%A4", "messages/x", "chats/1e3"])("is a page still at the address %s", async (view) => {
  const visit = await enter();
  // From another page: what is read first is read before there is anything.
  await visit.page.goto("about:blank");
  await visit.page.goto(`${door.origin}/#/${view}`);
  const shown = view.startsWith("relink") ? "Link the phone" : "There is no such view.";
  await visit.page.getByText(shown).first().waitFor();
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
