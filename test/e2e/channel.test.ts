import { afterAll, beforeAll, expect, it } from "vitest";
import { CUSTOMERS, openShop, type Shop } from "../shop/shop.ts";

let shop: Shop;

beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop?.close());

it("a channel that OpenClaw no longer starts, after three unclean starts of the gateway, is started by the bridge", async () => {
  shop.hotbags.answers(({ message_id }) => [{ command_id: message_id, type: "send_text", text: "back in business" }]);
  let suppressed: Promise<string> | undefined;
  for (let kill = 0; kill < 3; kill++) {
    await shop.gateway.kill();
    suppressed = shop.gateway.logged(/restart-loop breaker tripped/, { timeoutMs: 90_000 });
    suppressed.catch(() => {});
    await shop.gateway.start();
    await shop.gateway.ready();
  }
  await suppressed;
  await shop.whatsapp.online();
  const anna = shop.whatsapp.contact(CUSTOMERS[0] ?? "");
  await anna.says("anybody there?");
  await anna.hears("back in business");
  expect(shop.sidecar.lines).toContainEqual(
    expect.objectContaining({ account: "default", msg: expect.stringContaining("given up on WhatsApp") }),
  );
}, 300_000);
