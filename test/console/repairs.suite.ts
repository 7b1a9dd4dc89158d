import { expect, it } from "vitest";
import type { Visit } from "./shop.ts";
import { DEAD, MANY } from "./state.ts";
import { ask, auditedOf, door, enter, idOf, leave, picture, poll } from "./visits.ts";

it("tells the second of two who repair one message that the first was faster", async () => {
  const [anna, ben] = await Promise.all(["anna", "ben"].map((user) => enter(`messages/${idOf("dead-1")}`, { user })));
  if (!anna || !ben) throw new Error("nobody is there");
  // His page can't know it in time.
  await ben.context.route("**/api/events", (route) => route.abort());
  await ben.page.reload();
  const press = async ({ page }: Visit, name: string) => {
    await page.getByRole("button", { name }).first().click();
    const dialog = page.getByRole("dialog");
    await dialog.waitFor();
    return dialog;
  };
  const [discard, retry] = [await press(anna, "Discard"), await press(ben, "Send again")];
  expect(await discard.textContent()).toContain("nobody can send it again");
  await picture(anna.page, "confirm");
  // A hasty Enter changes nothing, and Escape takes one back to where one was.
  expect(await anna.page.evaluate("document.activeElement.textContent")).toBe("Cancel");
  await anna.page.keyboard.press("Escape");
  await discard.waitFor({ state: "hidden" });
  expect(await anna.page.evaluate("document.activeElement.textContent")).toBe("Discard");
  await (await press(anna, "Discard")).getByRole("button", { name: "Discard" }).click();
  await anna.page.getByText(`Message ${idOf("dead-1")} is discarded.`).waitFor();
  await retry.getByRole("button", { name: "Send again" }).click();
  await ben.page.getByText("Nothing was changed: it was discarded. Somebody else may have been faster.").waitFor();
  await poll(() => ben.page.locator(".facts .state").textContent()).toContain("discarded");
  // Hers can: what she reads is gone while she reads it, and she is told why.
  await anna.page.goto(`${door.origin}/#/messages/${idOf("dead-3")}`);
  await press(anna, "Discard");
  await ask("POST", "/messages/discard", { ids: [idOf("dead-3")] });
  await anna.page.getByText("Somebody else was faster.").last().waitFor();
  await Promise.all([leave(anna), leave(ben)]);
});

it("offers nothing that changes something to whoever may only look", async () => {
  const visit = await enter(`messages/${idOf("dead-2")}`, { role: "look" });
  await visit.page.getByRole("button", { name: "Show what was said" }).waitFor();
  expect(await visit.page.getByRole("button", { name: /Send again|Discard/ }).count()).toBe(0);
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

it("sends again all that was given up in the last hour, also more than one request takes", async () => {
  const visit = await enter("messages?state=dead");
  const { page } = visit;
  let requests = 0;
  page.on("request", (request) => {
    if (request.url().endsWith("/retry-dead")) requests += 1;
  });
  await page.getByRole("button", { name: "Send all again …" }).click();
  const dialog = page.getByRole("dialog");
  expect(await dialog.textContent()).toContain("with their own ids, in their places");
  await dialog.getByLabel("Given up in").selectOption("the last hour");
  await dialog.getByRole("button", { name: "Send all again …" }).click();
  await page.getByText(`${MANY} messages wait for Hot Bags again.`).waitFor();
  expect(requests).toBe(2);
  // What was given up before that is left, but for what another test discards.
  await poll(() => page.getByRole("link", { name: `Message ${idOf("dead-2")}` }).count()).toBe(1);
  const left = await ask<{ messages: { message_id: string }[] }>("GET", "/messages?state=dead&limit=500");
  expect(left.messages.filter(({ message_id: id }) => !DEAD.includes(id))).toEqual([]);
  expect((await auditedOf("anna")).filter((line) => line.endsWith(": retry")).length).toBeGreaterThanOrEqual(50);
  await poll(async () => (await ask<{ messages: object[] }>("GET", "/messages?state=pending")).messages).toEqual([]);
  await leave(visit);
});
