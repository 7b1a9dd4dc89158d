import jsqr from "jsqr";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startBrowser } from "../console/browser.ts";
import { freePort } from "../hotbags/port.ts";
import { askOperator } from "../shop/operator-api.ts";
import { openShop, type Shop } from "../shop/shop.ts";
import { until } from "../until.ts";

// The owner's page in a real browser, before the real sidecar and the real gateway; only the phone is a double. `outlet` is an account
// that no phone was ever linked to.

/** WhatsApp's first code is good for 60 s (Baileys), and a machine may have much else to do, ms. */
const PATIENCE_MS = 180_000;

let shop: Shop;
let browser: Browser;
let page: Page;

beforeAll(async () => {
  const port = await freePort();
  shop = await openShop({ sidecarEnv: { BRIDGE_CONSOLE: `127.0.0.1:${port}` } });
  await shop.gateway.configure((config) => {
    config.channels.whatsapp.accounts = { default: {}, outlet: {} };
    return config;
  });
  browser = await startBrowser();
  page = await browser.newPage({ locale: "en-GB" });
  page.setDefaultTimeout(PATIENCE_MS);
  const link = { role: "act", user: "anna" };
  const { url } = await askOperator<{ url: string }>(shop.stateDir, "POST", "/api/v1/console/links", link);
  await page.goto(url);
}, 2 * PATIENCE_MS);
afterAll(async () => {
  await browser?.close();
  await shop?.close();
});

/** Goes from the view Now to the account that has no link, has a code shown, and waits for it. */
async function askForCode(account: string): Promise<void> {
  const hop = page.getByRole("listitem").filter({ hasText: `account ${account}` });
  await hop.getByRole("link", { name: "Link the phone" }).click();
  await page.getByRole("button", { name: "Show a code" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Show a code" }).click();
  await page.getByRole("img", { name: `Code to link account ${account}` }).waitFor();
}

/** What a phone's camera reads there. */
async function read(): Promise<string> {
  const { pixels, width, height } = await page.evaluate<{
    pixels: number[];
    width: number;
    height: number;
  }>(`(async () => {
    const img = document.querySelector("img.code");
    await img.decode();
    const canvas = new OffscreenCanvas(img.naturalWidth, img.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(img, 0, 0);
    const { data, width, height } = context.getImageData(0, 0, canvas.width, canvas.height);
    return { pixels: Array.from(data), width, height };
  })()`);
  const said = jsqr.default(new Uint8ClampedArray(pixels), width, height)?.data;
  if (said === undefined) throw new Error("nobody can read this code");
  return said;
}

it("a second account is linked to its phone from the page", { timeout: 2 * PATIENCE_MS }, async () => {
  await askForCode("outlet");
  await shop.whatsapp.scan(await read(), { number: "+15559990001", accountId: "outlet" });
  await page.getByText("The phone is linked.").waitFor();
  await page.getByText("It is linked and connected.").or(page.getByText("WhatsApp is connected.")).waitFor();
  await shop.healthy();
  await shop.whatsapp.online(PATIENCE_MS, "outlet");
  shop.hotbags.answers(({ message_id, text }) => [
    { command_id: `${message_id}-1`, type: "send_text", text: `You wrote: ${text}` },
  ]);
  const anna = shop.newCustomer();
  await anna.says("to the outlet", { to: "outlet" });
  expect((await anna.hears("You wrote: to the outlet", { timeoutMs: 60_000 })).accountId).toBe("outlet");
});

it("an account that its phone has logged out is linked anew from the page, by the code that came after the first", {
  timeout: 4 * PATIENCE_MS,
}, async () => {
  await page.goto(`${new URL(page.url()).origin}/#/now`);
  await shop.whatsapp.logout("default");
  await page
    .getByText(/WhatsApp is logged out|logged this device out/)
    .first()
    .waitFor();
  await askForCode("default");
  const first = await read();
  // The page has another one in its place when that is over.
  await until("the page shows another code", async () => (await read()) !== first, PATIENCE_MS);
  await shop.whatsapp.scan(await read(), { number: "+15559990000" });
  await page.getByText("The phone is linked.").waitFor();
  await shop.healthy();
  await page.goto(`${new URL(page.url()).origin}/#/now`);
  await page.getByText("Customers are being answered.").waitFor();
  const ben = shop.newCustomer();
  await ben.says("are you there again?");
  await ben.hears("You wrote: are you there again?", { timeoutMs: 60_000 });
});
