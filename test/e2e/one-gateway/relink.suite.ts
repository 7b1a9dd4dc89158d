import { expect, it } from "vitest";
import { runHotbags, startHotbags } from "../../shop/hotbags-command.ts";
import { readCode } from "../../shop/terminal-code.ts";
import { until } from "../../until.ts";
import { shop } from "./shop.ts";

// The suite before this one has left `outlet` logged out, with a reply that waits for it.

it("shows the code of the account that is logged out, and says that it is connected once a phone has scanned it", async () => {
  const doctor = await runHotbags(shop.stateDir, "doctor");
  expect(doctor.code).toBe(1);
  expect(doctor.stdout).toContain("hotbags relink outlet");

  const relink = startHotbags({ BRIDGE_STATE_DIR: shop.stateDir }, ["relink", "--qr", "--for", "2m", "--json"]);
  await until("it shows a code", () => readCode(relink.said) !== undefined, 60_000).catch((error) => {
    throw new Error(`it said ${relink.said}`, { cause: error });
  });
  expect(relink.said).toContain("Account outlet: The phone has logged this device out");
  await shop.whatsapp.scan(readCode(relink.said) ?? "", { number: "+15559990001", accountId: "outlet" });
  const { code, stdout, stderr } = await relink.ended;
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(JSON.parse(stdout)).toEqual({ account_id: "outlet", connected: true });
  await shop.healthy();
  expect(shop.whatsapp.sent.at(-1)).toMatchObject({ accountId: "outlet", text: "too late" });
});
