import { expect, it } from "vitest";
import { until } from "../until.ts";
import { OUTBOX_POINTS } from "./points.ts";
import { crash, shop } from "./shop.ts";
import { expectInGuarantees, outcomeOfCommand, type Row } from "./table.ts";

// The same for what Hot Bags sends without being asked: killed between the answer, the store and the send.

const rows: Row[] = [];

for (const { point, meaning, given } of OUTBOX_POINTS) {
  it(`the sidecar, killed at ${point}`, async () => {
    const anna = shop.newCustomer();
    const { outbox } = shop.hotbags;
    await until("a question is open", () => outbox.open === 1, 60_000);
    const [before, asked] = [outbox.commands.length, outbox.polls.length];
    crash.sidecar.arm(point);
    const killed = shop.sidecar.ended();
    outbox.put({
      ...{ command_id: `outbox-at-${point}`, type: "send_text", text: "of itself" },
      ...{ to: anna.number, transport_session_id: "whatsapp:default" },
    });
    expect(await killed).toBe("SIGKILL");
    await shop.sidecar.start();
    await anna.hears("of itself", { timeoutMs: 60_000 });
    await until("it has gone on", () => outbox.polls.at(-1)?.after === String(before + 1), 60_000);
    await until(
      "nothing waits",
      async () => {
        const { pending, sending } = (await shop.health()).body["commands"] as Record<string, number>;
        return pending === 0 && sending === 0;
      },
      60_000,
    );
    // The question that was open has given it, and each that came from the same place since.
    const times = 1 + outbox.polls.slice(asked).filter(({ after }) => after === String(before)).length;
    rows.push({ point, meaning, outcome: outcomeOfCommand({ given: times, replies: anna.heard.length }) });
    expect([times, anna.heard.length]).toEqual([given, 1]);
    expect(shop.hotbags.violations).toEqual([]);
  });
}

it("the table in docs/guarantees.md is what was observed here", async () => {
  await expectInGuarantees("SQLite", rows);
});
