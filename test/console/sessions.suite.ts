import { expect, it } from "vitest";
import { findBarriers } from "./axe.ts";
import { ask, auditedOf, door, enter, heading, idOf, leave, picture, poll } from "./visits.ts";

it("asks for a link when the session is over, and goes on where one was, in every tab", async () => {
  const visit = await enter(`messages/${idOf("dead-2")}`, { user: "carol" });
  const { page, context } = visit;
  await heading(page, `Message ${idOf("dead-2")}`).waitFor();
  const { sessions } = await ask<{ sessions: { id: number; user: string }[] }>("GET", "/console/sessions");
  const id = sessions.find(({ user }) => user === "carol")?.id;
  await ask("POST", `/console/sessions/${id}/end`, {});
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

it("lets whoever may act end another's session, whose page says so at once", async () => {
  const dora = await enter("now", { role: "look", user: "dora" });
  const anna = await enter("settings");
  const hers = anna.page.getByRole("row").filter({ hasText: "dora" });
  await hers.getByRole("button", { name: "End" }).click();
  const dialog = anna.page.getByRole("dialog");
  expect(await dialog.textContent()).toContain("Log dora out?");
  await dialog.getByRole("button", { name: "End" }).click();
  await anna.page.getByText("dora is logged out.").waitFor();
  await dora.page.getByText("Your session is over.").waitFor();
  await poll(() => hers.count()).toBe(0);
  expect((await auditedOf("anna"))[0]).toMatch(/^console \d+: end a console session$/);
  // Whoever may only look sees who is there, and can end nobody's.
  const ben = await enter("settings", { role: "look", user: "ben" });
  await ben.page.getByRole("row").filter({ hasText: "anna" }).first().waitFor();
  expect(await ben.page.getByRole("button", { name: "End" }).count()).toBe(0);
  await Promise.all([leave(anna), leave(dora), leave(ben)]);
});

it("logs out of a session that is over, and says where it can't", async () => {
  const visit = await enter("settings", { user: "erin" });
  const { page, context } = visit;
  const leaveIt = page.getByRole("button", { name: "Log out" });
  await context.route("**/api/session", (route) => route.abort());
  await leaveIt.click();
  await page.getByText("The sidecar did not answer.").waitFor();
  await context.unroute("**/api/session");
  await context.clearCookies();
  await leaveIt.click();
  await heading(page, "Log in").waitFor();
  await page.goto(`${door.origin}/#login=${"x".repeat(43)}`);
  await page.getByText("This link was used already").waitFor();
  await leave(visit);
});
