import { expect, it, onTestFinished } from "vitest";
import { CODES } from "../sidecar/codes.ts";
import { ACCOUNTS } from "./shop.ts";
import { door, enter, leave, picture, poll } from "./visits.ts";

it("shows the code of an account that is logged out, another one in its place, and that it is linked", async () => {
  const { gateway } = door.shop;
  onTestFinished(() => {
    gateway.accounts = ACCOUNTS;
  });
  const [bot, ...others] = ACCOUNTS;
  gateway.accounts = [{ ...bot, connected: false, running: false, healthState: "logged-out" }, ...others];
  const scanned = Promise.withResolvers<void>();
  let waits = 0;
  gateway.login = async (method) => {
    if (method === "web.login.start") return { qrDataUrl: CODES["the first code"], message: "Scan this QR." };
    waits += 1;
    if (waits === 1) return { connected: false, qrDataUrl: CODES["the second code"], message: "QR refreshed." };
    await scanned.promise;
    gateway.accounts = ACCOUNTS;
    return { connected: true, message: "Linked!" };
  };
  const visit = await enter();
  const { page } = visit;
  await page.getByText("WhatsApp is logged out").first().waitFor();
  await picture(page, "logged-out");
  // Whoever may only look is not sent to where nothing can be done.
  const looking = await enter("now", { role: "look", user: "ben" });
  await looking.page.getByText("WhatsApp is logged out").first().waitFor();
  expect(await looking.page.getByRole("link", { name: "Link the phone" }).count()).toBe(0);
  await leave(looking);
  await page.getByRole("link", { name: "Link the phone" }).click();
  await page.getByRole("button", { name: "Show a code" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.textContent()).toContain("OpenClaw forgets the link that it has.");
  await dialog.getByRole("button", { name: "Show a code" }).click();
  const code = page.getByRole("img", { name: /Code to link account default/ });
  await poll(() => code.getAttribute("src")).toBe(CODES["the second code"]);
  expect(await page.getByText("Somebody else was faster").count()).toBe(0);
  await picture(page, "relink");
  scanned.resolve();
  await page.getByText("The phone is linked.").first().waitFor();
  await page.goto(`${door.origin}/#/now`);
  await page.getByText("Customers are being answered").waitFor();
  await leave(visit);
});
