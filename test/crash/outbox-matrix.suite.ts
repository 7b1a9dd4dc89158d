import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { until } from "../until.ts";
import { crash, shop } from "./shop.ts";

// The same for what Hot Bags sends without being asked: killed between the answer, the store and the send.

const GUARANTEES = fileURLToPath(new URL("../../docs/guarantees.md", import.meta.url));

/** What was observed at one failpoint: how often Hot Bags gave the command. */
interface Row {
  point: string;
  meaning: string;
  given: number;
  replies: number;
}

const POINTS = [
  { point: "poll:after", meaning: "answered, the command not on disk: asked for again", given: 2 },
  { point: "outbox-taken:before-commit", meaning: "answered, the command not on disk: asked for again", given: 2 },
  { point: "outbox-taken:after-commit", meaning: "the command is on disk, and so is the cursor", given: 1 },
  { point: "sending:after-commit", meaning: "the intent is on disk, nothing was sent: in doubt", given: 1 },
  { point: "send:after", meaning: "sent, not on disk: in doubt", given: 1 },
];

const rows: Row[] = [];

for (const { point, meaning, given } of POINTS) {
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
    rows.push({ point, meaning, given: times, replies: anna.heard.length });
    expect([times, anna.heard.length]).toEqual([given, 1]);
    expect(shop.hotbags.violations).toEqual([]);
  });
}

it("the table in docs/guarantees.md is what was observed here", () => {
  const head = "| killed at | that is | given by Hot Bags | texts on the phone | outcome |\n|---|---|---|---|---|";
  const outcome = (replies: number) => (replies === 1 ? "exactly once" : replies === 0 ? "in doubt" : "BROKEN");
  const lines = rows.map(
    ({ point, meaning, given, replies }) =>
      `| \`${point}\` | ${meaning} | ${given} | ${replies} | ${outcome(replies)} |`,
  );
  const table = [head, ...lines].join("\n");
  console.log(table);
  expect(readFileSync(GUARANTEES, "utf8")).toContain(table);
});
