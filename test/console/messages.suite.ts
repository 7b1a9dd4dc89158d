import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { EARLY, OLD, OUTLET } from "./state.ts";
import { ask, door, enter, heading, idOf, leave, poll } from "./visits.ts";

const rows = (page: Page) => page.getByRole("table").locator("tbody tr");
const first = (page: Page) => rows(page).first().getByRole("rowheader").textContent();

async function search(page: Page, what: string): Promise<void> {
  await page.getByLabel("Number or message id").fill(what);
  await page.getByRole("button", { name: "Show" }).click();
}

it(`pages through ${OLD} messages, and finds one by its id, and the oldest of all by its customer's number`, async () => {
  const visit = await enter("messages");
  const { page } = visit;
  await page.getByRole("table").waitFor();
  for (let n = 0; n < 3; n++) {
    const before = await first(page);
    await page.getByRole("button", { name: "Older" }).click();
    await poll(() => first(page)).not.toBe(before);
  }
  // As far down as one can get.
  await page.goto(`${door.origin}/#/messages?before=60`);
  await poll(() => first(page)).toBe("59");
  await page.getByRole("button", { name: "Older" }).click();
  await poll(() => first(page)).toBe("9");
  expect(await page.getByRole("button", { name: "Older" }).count()).toBe(0);
  await search(page, "old-17");
  await poll(() => rows(page).count()).toBe(1);
  // As within its country: there is none like that, and the page says what is missing.
  await search(page, "0151 23456789");
  await page.getByText("This is no number with its country").waitFor();
  await search(page, EARLY.replace("+", "00"));
  await poll(() => first(page)).toBe("1");
  await rows(page).getByRole("link").click();
  await heading(page, "Message 1").waitFor();
  await page.getByText("old-1", { exact: true }).waitFor();
  await leave(visit);
});

it("shows those of a state, an account, or a time alone", async () => {
  const visit = await enter("messages");
  const { page } = visit;
  const choose = async (name: string, label: string) => {
    await page.locator(`form.filter select[name=${name}]`).selectOption({ label });
    await page.getByRole("button", { name: "Show" }).click();
  };
  const states = async () =>
    new Set((await page.locator("td .state").allTextContents()).map((text) => text.replace(/^\W+/, "")));

  await choose("state", "given up");
  await poll(states).toEqual(new Set(["given up"]));
  await choose("state", "delivered");
  await poll(states).toEqual(new Set(["delivered"]));
  await choose("state", "any");
  await choose("account", "outlet");
  const ids = OUTLET.map((id) => String(idOf(id)));
  await poll(() => rows(page).getByRole("rowheader").allTextContents()).toEqual(ids.toReversed());
  await choose("account", "any");
  // All that is not of yesterday.
  await choose("span", "the last hour");
  const { messages } = await ask<{ messages: object[] }>(
    "GET",
    `/messages?limit=500&since=${new Date(Date.now() - 3_600_000).toISOString()}`,
  );
  expect(messages.length).toBeGreaterThan(50);
  const seen = new Set<string>();
  for (let more = true; more; ) {
    await poll(async () => seen.has((await first(page)) ?? "")).toBe(false);
    for (const id of await rows(page).getByRole("rowheader").allTextContents()) seen.add(id);
    more = (await rows(page).count()) === 50;
    if (more) await page.getByRole("button", { name: "Older" }).click();
  }
  expect(seen.size).toBe(messages.length);
  // It is in the address: a link to it can be kept.
  await page.reload();
  await poll(() => page.locator("select[name=span]").inputValue()).toBe("hour");
  await leave(visit);
});
