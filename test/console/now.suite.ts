import type { Page, Request } from "playwright-core";
import { expect, it } from "vitest";
import { messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { door, enter, heading, idOf, leave, nameOf, picture, poll } from "./visits.ts";

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
