import { createHash } from "node:crypto";
import type { Page } from "playwright-core";
import { expect, it } from "vitest";
import { type MediaItem, maskAddress } from "../../shared/src/index.ts";
import { BRIDGE_TOKEN } from "../sidecar/built-sidecar.ts";
import { CODES } from "../sidecar/codes.ts";
import { ANNA, BEN, messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { HOSTILE } from "./state.ts";
import { auditedOf, door, enter, heading, idOf, leave, nameOf, picture, poll } from "./visits.ts";

it("shows a customer's text as text, only when it is asked for, and that is in the audit", async () => {
  const visit = await enter(`messages/${idOf("doubt")}`);
  const { page } = visit;
  const reveal = page.getByRole("button", { name: "Show what was said" });
  await reveal.waitFor();
  expect(await page.content()).not.toContain("hacked");
  const looks = async () => (await auditedOf("anna")).filter((line) => line.startsWith(`message ${idOf("doubt")}:`));
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
  const looks = async () => (await auditedOf("anna")).filter((line) => line.startsWith("chat ")).length;
  await until("all three looks are in the audit", async () => (await looks()) >= 3);
  await leave(visit);
});

/** As the plugin hands a file over: its bytes first. */
async function upload(bytes: Buffer): Promise<MediaItem> {
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const { status } = await fetch(`http://127.0.0.1:${door.shop.sidecar.port}/media/${sha256}`, {
    method: "PATCH",
    headers: {
      authorization: `Bearer ${BRIDGE_TOKEN}`,
      "upload-offset": "0",
      "upload-length": String(bytes.length),
    },
    body: new Uint8Array(bytes),
  });
  expect(status).toBe(204);
  const described = { type: "image", mime_type: "image/png", file_name: "bag.png" } as const;
  return { ...described, size_bytes: bytes.length, sha256 };
}

it("shows a picture only when it is asked for, notes each look, and shows nothing that only claims to be one", async () => {
  const png = Buffer.from(CODES["the first code"].split(",")[1] ?? "", "base64");
  const hostile = Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1"></svg>`);
  const media = [await upload(png), await upload(hostile)];
  await door.shop.plugin.handIn(messageOf("with-pictures", ANNA, { media }));
  const name = await nameOf("with-pictures");
  const id = name.split(" ")[1];
  const visit = await enter(`messages/${id}`, { user: "paula" });
  const { page } = visit;
  const fetched: string[] = [];
  page.on("request", (request) => {
    if (request.url().includes("/files/")) fetched.push(request.url().split("/files/")[1] ?? "");
  });
  await page.getByRole("button", { name: "Show what was said" }).click();
  const show = page.getByRole("button", { name: "Show the picture" });
  await poll(() => show.count()).toBe(2);
  expect([fetched, await page.locator("main img").count()]).toEqual([[], 0]);
  expect(await auditedOf("paula")).toEqual([`message ${id}: read the text`, expect.stringMatching(/log in/)]);
  await show.first().click();
  const shown = page.getByRole("img", { name: "Picture 1" });
  await poll(() => shown.evaluate((img) => (img as unknown as { naturalWidth: number }).naturalWidth)).toBe(174);
  expect(fetched).toEqual(["0"]);
  await show.click();
  await page.getByText("This is no picture that can be shown.").waitFor();
  expect(await page.evaluate("window.hacked")).toBeUndefined();
  expect((await auditedOf("paula")).slice(0, 2)).toEqual([`message ${id}: see a file`, `message ${id}: see a file`]);
  await leave(visit);
});
