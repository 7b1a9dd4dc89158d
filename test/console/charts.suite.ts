import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import type { Output } from "../../sidecar/src/operator/schemas.ts";
import { messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { ask, door, enter, leave, poll } from "./visits.ts";

const hourNow = () => ask<Output<"figures">>("GET", "/figures?range=hour");

const chart = (page: Page, title: string) =>
  page.getByRole("figure").filter({ has: page.getByRole("heading", { name: title }) });

/** What a chart says as a whole, such as "Messages in: 3; Replies out: 3". */
const says = (page: Page, title: string) => chart(page, title).locator("figcaption p").textContent();

/** What a column of a chart's table has. */
async function column(page: Page, title: string, n: number): Promise<string[]> {
  const its = chart(page, title);
  if ((await its.locator("details[open]").count()) === 0) await its.getByText("As a table").click();
  return its.locator("details tbody tr").locator(`td:nth-of-type(${n})`).allTextContents();
}

/** What the plot itself has at its newest point, as its legend says it to whoever points there. */
async function pointed(page: Page, title: string): Promise<string[]> {
  const over = chart(page, title).locator(".u-over");
  const { width, height } = (await over.boundingBox()) ?? { width: 0, height: 0 };
  await over.hover({ position: { x: width - 2, y: height / 2 } });
  return chart(page, title).locator(".u-legend .u-value").allTextContents();
}

const sum = (values: (number | null)[]) => values.reduce<number>((all, value) => all + (value ?? 0), 0);

/** Counted messages, each with its reply. */
async function pass(id: string): Promise<void> {
  const { replies_out: before } = await hourNow();
  await door.shop.plugin.handIn(messageOf(id));
  await until("its reply is counted", async () => sum((await hourNow()).replies_out) > sum(before));
}

it("show what was counted, as a whole, in the plot and in the table, and follow what happens", async () => {
  await pass("figure-1");
  const visit = await enter("charts?range=hour");
  const { page } = visit;
  const flow = "Messages in, replies out";
  const isWhole = async () => {
    const { messages_in: messagesIn, replies_out: repliesOut } = await hourNow();
    await poll(() => says(page, flow)).toBe(`Messages in: ${sum(messagesIn)}; Replies out: ${sum(repliesOut)}`);
    const shown = (values: (number | null)[]) => sum(values.map((value) => value ?? 0));
    const counted = async (n: number) => sum((await column(page, flow, n)).map((cell) => Number(cell) || 0));
    expect([await counted(1), await counted(2)]).toEqual([shown(messagesIn), shown(repliesOut)]);
    // A minute may begin between two looks.
    await poll(async () => (await pointed(page, flow)).slice(1)).toEqual(
      await Promise.all([1, 2].map(async (n) => (await column(page, flow, n)).at(-1))),
    );
  };
  await isWhole();
  await page.getByText(/As of \d\d:\d\d:\d\d\./).waitFor();
  await pass("figure-2");
  await isWhole();

  // Another part of the way is another curve, also where both end alike.
  const long = "How long it takes";
  for (const [label, hop] of [
    ["The answer of Hot Bags", "hotbags"],
    ["From WhatsApp to the sidecar", "capture"],
  ] as const) {
    await page.getByLabel("Part of the way").selectOption({ label });
    const { hops } = await hourNow();
    const known = hops[hop].p50_ms.filter((ms) => ms !== null).length;
    const cells = async () => (await column(page, long, 1)).filter((cell) => cell !== "not known").length;
    await poll(cells).toBeGreaterThanOrEqual(known);
    await poll(async () => (await pointed(page, long)).slice(1)).toEqual(
      await Promise.all([1, 2].map(async (n) => (await column(page, long, n)).at(-1))),
    );
  }
  await leave(visit);
});

it("draw another part of the way where nothing has passed at their end", async () => {
  const visit = await enter();
  const { page } = visit;
  // The sidecar's own figures, with nothing in the newest point.
  await page.route("**/api/v1/figures**", async (route) => {
    const response = await route.fetch();
    const figures = (await response.json()) as Output<"figures">;
    for (const [name, first] of [
      ["whole", 1_000],
      ["hotbags", 50_000],
    ] as const) {
      const values = figures.at.map((_, n) => (n === 0 ? first : null));
      figures.hops[name] = { p50_ms: values, p95_ms: values };
    }
    await route.fulfill({ response, json: figures });
  });
  await page.goto(`${door.origin}/#/charts?range=hour`);
  const long = "How long it takes";
  const firstPoint = async () => {
    await chart(page, long)
      .locator(".u-over")
      .hover({ position: { x: 1, y: 50 } });
    return chart(page, long).locator(".u-legend .u-value").nth(1).textContent();
  };
  await poll(firstPoint).toMatch(/^1 sec/);
  await page.getByLabel("Part of the way").selectOption({ label: "The answer of Hot Bags" });
  await poll(firstPoint).toMatch(/^50 sec/);
  await leave(visit);
});
