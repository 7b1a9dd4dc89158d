import { expect, it } from "vitest";
import { BEN, messageOf } from "../sidecar/message.ts";
import { until } from "../until.ts";
import { ask, auditedOf, door, enter, heading, leave } from "./visits.ts";

interface Listed {
  chats: { chat: number }[];
}

it("lets the replies of a chat be held back for a while, and go out again", async () => {
  const { chats } = await ask<Listed>("GET", `/chats?number=${encodeURIComponent(BEN)}`);
  const chat = chats[0]?.chat;
  const visit = await enter(`chats/${chat}`, { user: "petra" });
  const { page } = visit;
  const dialog = page.getByRole("dialog");
  await page.getByRole("button", { name: "Pause the replies …" }).click();
  expect(await dialog.textContent()).toContain("nothing that Hot Bags answers goes to this customer");
  await dialog.getByLabel("For").selectOption({ label: "4 hours" });
  await dialog.getByRole("button", { name: "Pause the replies …" }).click();
  await page.getByText(/by the shop, until .*: replies are sent afterwards\. 0 wait\./).waitFor();
  await door.shop.plugin.handIn(messageOf("while-paused", BEN));
  await page.getByText(/replies are sent afterwards\. 1 waits\./).waitFor();

  await page.getByRole("button", { name: "Go on" }).click();
  expect(await dialog.textContent()).toContain("What waits goes out now.");
  await dialog.getByRole("button", { name: "Go on" }).click();
  await page.getByText("The replies go out again.").waitFor();
  await until("the reply is sent", async () => {
    const { commands } = await ask<{ commands: object[] }>("GET", "/commands?command_id=to-while-paused");
    return JSON.stringify(commands).includes('"sent"');
  });
  expect((await auditedOf("petra")).slice(0, 2)).toEqual([
    expect.stringMatching(new RegExp(`^chat ${chat}: resume `)),
    expect.stringMatching(new RegExp(`^chat ${chat}: pause .* for 14400 s, hold replies$`)),
  ]);
  await leave(visit);
});

it("offers no pause to whoever may only look", async () => {
  const visit = await enter("chats/1", { role: "look" });
  await heading(visit.page, /Conversation/).waitFor();
  expect(await visit.page.getByRole("button", { name: /Pause/ }).count()).toBe(0);
  await leave(visit);
});
