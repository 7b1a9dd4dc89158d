import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { until } from "../../until.ts";
import { crash, shop } from "./shop.ts";

// What the bridge looks after by itself while everything is connected.

const LEAPING_CLOCK = fileURLToPath(new URL("../../shop/leaping-clock.mjs", import.meta.url));
const PER_MINUTE = 5;

type Report = { ok: boolean; problems: string[]; commands: { held_chats: number; in_doubt: number } };
const health = async () => (await shop.health()).body as unknown as Report;
const alerts = (kind: string, from: number) =>
  shop.sidecar.lines.slice(from).filter((line) => line["alert"] === kind && line["alert_state"] === "started");

it("another bot and Hot Bags answer each other: held after the limit, others are answered, and nothing is dropped", async () => {
  const [bot, ben] = [shop.newCustomer(), shop.newCustomer()];
  const { in_doubt } = (await health()).commands;
  shop.hotbags.answers(({ message_id, text }) => [{ command_id: message_id, type: "send_text", text: `You: ${text}` }]);
  const from = shop.sidecar.lines.length;
  await shop.sidecar.restart({ BRIDGE_CHAT_REPLIES_PER_MINUTE: String(PER_MINUTE) });
  try {
    await shop.healthy();
    for (let n = 1; n <= PER_MINUTE; n++) {
      await bot.says(`bot ${n}`);
      await bot.hears(`You: bot ${n}`, { timeoutMs: 30_000 });
    }
    await bot.says("bot 6");
    await until("its next reply is held", async () => (await health()).commands.held_chats === 1, 30_000);
    const { ok, problems } = await health();
    expect(ok).toBe(false);
    expect(problems).toContainEqual(expect.stringMatching(/^replies of 1 chat are held back.*another bot/));
    await until("the operator is told", () => alerts("runaway", from).length > 0);
    expect(alerts("runaway", from)).toEqual([expect.objectContaining({ account: "default", level: "error" })]);
    await ben.says("a customer");
    await ben.hears("You: a customer", { timeoutMs: 30_000 });
    expect(bot.heard).toHaveLength(PER_MINUTE);
  } finally {
    await shop.sidecar.restart({ BRIDGE_CHAT_REPLIES_PER_MINUTE: "0" });
  }
  await bot.hears("You: bot 6", { timeoutMs: 60_000 });
  await shop.healthy();
  expect(bot.heard).toHaveLength(PER_MINUTE + 1);
  expect((await health()).commands).toMatchObject({ held_chats: 0, in_doubt });
});

it("connected and deaf: after the set hours without a message the operator is told, once, until one comes in", async () => {
  const anna = shop.newCustomer();
  const stateDir = await mkdtemp(join(tmpdir(), "hotbags-quiet-"));
  const from = shop.sidecar.lines.length;
  let leapt = 0;
  // Again, if the link to the gateway was just then found to be silent for two hours.
  const passHours = () => {
    if (leapt + 2_000 > performance.now()) return true;
    leapt = performance.now();
    const { pid } = shop.sidecar;
    return pid !== undefined && process.kill(pid, "SIGUSR2");
  };
  await shop.sidecar.restart({
    // What it writes down has times of next week.
    BRIDGE_STATE_DIR: stateDir,
    BRIDGE_QUIET_HOURS: "1",
    BRIDGE_OPENING_HOURS: "0-24",
    NODE_OPTIONS: `--import=${crash.sidecar.module} --import=${LEAPING_CLOCK}`,
  });
  try {
    await shop.healthy();
    await until("the operator is told", () => passHours() && alerts("quiet", from).length > 0, 60_000);
    const { ok, problems } = await health();
    expect(ok).toBe(false);
    expect(problems).toContainEqual(expect.stringMatching(/^No message has come in for .* though all is connected/));
    const hearsAgain = shop.sidecar.logs(({ msg }) => msg === "messages come in again", 30_000);
    await anna.says("is anybody there?");
    await hearsAgain;
    await shop.hotbags.receives("is anybody there?");
    expect(alerts("quiet", from)).toHaveLength(1);
  } finally {
    await shop.sidecar.restart({
      BRIDGE_STATE_DIR: shop.stateDir,
      BRIDGE_QUIET_HOURS: undefined,
      BRIDGE_OPENING_HOURS: undefined,
      NODE_OPTIONS: `--import=${crash.sidecar.module}`,
    });
    await rm(stateDir, { recursive: true, force: true });
  }
  await shop.healthy();
});
