import { rm } from "node:fs/promises";
import { assert, type Case } from "./case.ts";
import { must, run } from "./command.ts";
import { GATEWAY, type ShopMachine, SIDECAR, type Unit } from "./shop-machine.ts";

const message: Case = {
  name: "message",
  promise: "a message reaches Hot Bags, and its reply the phone, once",
  on: "answering",
  leaves: "answering",
  async run(shop) {
    await shop.roundTrip();
    const { violations } = shop.far.hotbags;
    assert(violations.length === 0, `Hot Bags got what it must not: ${violations.join("; ")}`);
  },
};

/** One that was killed is back by itself, and messages go. */
const kill = (unit: Unit): Case => ({
  name: unit === SIDECAR ? "kill-sidecar" : "kill-gateway",
  promise: `after kill -9 ${unit} is back by itself, and a message goes the whole way`,
  on: "answering",
  leaves: "answering",
  async run(shop) {
    const { MainPID } = await shop.unit(unit);
    await shop.machine.must(`kill -9 ${MainPID}`);
    if (unit === GATEWAY) await numberIsAnothers(shop);
    await shop.runsAnew(unit, MainPID);
    await shop.healthy();
    await shop.roundTrip();
  },
});

/**
 * As after a cut of the power: what the gateway left behind names a process, and that number is the sidecar's by now.
 * OpenClaw has to see that it began at another time.
 */
async function numberIsAnothers(shop: ShopMachine): Promise<void> {
  const { MainPID } = await shop.unit(SIDECAR);
  const change = `const { DatabaseSync } = require("node:sqlite");
    const db = new DatabaseSync("/var/lib/openclaw/.openclaw/state/openclaw.sqlite");
    process.stdout.write(String(db.prepare("UPDATE agent_database_leases SET owner_pid = ?").run(${MainPID}).changes));`;
  const changed = await shop.machine.must(`runuser -u openclaw -- /usr/local/bin/node -e '${change}'`);
  assert(Number(changed) > 0, "OpenClaw notes nowhere who has its database open: see systemd/openclaw-gateway.service");
}

const watchdog: Case = {
  name: "watchdog",
  promise: "a sidecar that stands still is ended by the watchdog, and messages go again",
  on: "answering",
  leaves: "answering",
  async run(shop) {
    const { MainPID } = await shop.unit(SIDECAR);
    await shop.machine.must(`kill -STOP ${MainPID}`);
    // What comes meanwhile waits in the plugin.
    const customer = shop.newCustomer();
    await customer.says("Anybody there?");
    await shop.runsAnew(SIDECAR, MainPID);
    const log = await shop.machine.must(`journalctl -o cat -u ${SIDECAR} --no-pager`);
    assert(/Watchdog timeout/.test(log), "it was ended by something else than the watchdog");
    await shop.hears(customer, "Anybody there?");
    await shop.healthy();
  },
};

/**
 * Has the machine go through something while two messages wait, one in the sidecar's queue and one in the plugin's outbox; resolves when
 * both are answered.
 */
async function outlives(shop: ShopMachine, what: () => Promise<void>): Promise<void> {
  const { hotbags } = shop.far;
  const [inQueue, inOutbox] = [shop.newCustomer(), shop.newCustomer()];
  await shop.whileHotBagsIsAway(async () => {
    const { id } = await inQueue.says("This waits in the queue");
    await shop.wait("the sidecar has the message", () => hotbags.requests.some(({ key }) => key === id));
    await shop.machine.must(`systemctl stop ${SIDECAR}`);
    await inOutbox.says("This waits in the outbox");
    await shop.wait("the plugin has the message", async () => (await outboxSize(shop)) > 0);
    await what();
  });
  await shop.hears(inQueue, "This waits in the queue");
  await shop.hears(inOutbox, "This waits in the outbox");
  await shop.healthy();
}

async function outboxSize({ machine }: ShopMachine): Promise<number> {
  const path = "/var/lib/openclaw/.openclaw/hotbags/outbox.sqlite";
  const script = `new (require("node:sqlite").DatabaseSync)("${path}").prepare("SELECT waiting FROM totals").get().waiting`;
  return Number(await machine.must(`runuser -u openclaw -- node --disable-warning=ExperimentalWarning -p '${script}'`));
}

const reboot: Case = {
  name: "reboot",
  promise: "messages that wait in the queue and in the outbox outlive a reboot",
  on: "answering",
  leaves: "answering",
  run: (shop) => outlives(shop, () => shop.machine.reboot()),
};

const powerCut: Case = {
  name: "power-cut",
  promise: "they outlive a cut of the power too",
  on: "answering",
  leaves: "answering",
  run: (shop) =>
    outlives(shop, async () => {
      await shop.machine.pullThePlug();
      await shop.machine.boot();
    }),
};

const OCCUPANT = {
  "/etc/systemd/system/occupant.socket": "[Socket]\nListenStream=127.0.0.1:18789\nAccept=yes\n",
  "/etc/systemd/system/occupant@.service": "[Service]\nExecStart=/bin/true\n",
  "/etc/systemd/system/sockets.target.d/occupant.conf": "[Unit]\nWants=occupant.socket\n",
};

const badBoot: Case = {
  name: "bad-boot",
  promise:
    "a full disk and a taken port at boot are waited for, and all runs by itself when there is room and the port is free",
  on: "answering",
  leaves: "answering",
  async run(shop) {
    const { machine } = shop;
    const folder = shop.path("/var/lib/hotbags");
    await machine.powerOff();
    // A small disk of its own, with what was there.
    await must("cp", ["-a", folder, `${folder}.kept`]);
    await must("mount", ["-t", "tmpfs", "-o", "size=64m", "small", folder]);
    await must("cp", ["-aT", `${folder}.kept`, folder]);
    const { stderr } = await run("dd", ["if=/dev/zero", `of=${folder}/filler`, "bs=64k"]);
    assert(stderr.includes("No space left"), `the disk could not be filled: ${stderr}`);
    for (const [path, content] of Object.entries(OCCUPANT)) await machine.write(path, content);
    await machine.boot();
    const says = async (unit: Unit, pattern: RegExp) =>
      pattern.test(await machine.must(`journalctl -b -o cat --no-pager -u ${unit}`));
    await shop.wait("the sidecar waits for the disk", () => says(SIDECAR, /full/i));
    await shop.wait("OpenClaw finds its port taken", () => says(GATEWAY, /already (running|in use)|EADDRINUSE/i));
    for (const unit of [SIDECAR, GATEWAY] as const) {
      const { ActiveState } = await shop.unit(unit);
      assert(ActiveState !== "failed", `${unit} has failed for good`);
    }
    await machine.must("rm /var/lib/hotbags/filler; systemctl stop occupant.socket");
    await shop.connected();
    await shop.roundTrip();
    await machine.powerOff();
    await must("cp", ["-aT", folder, `${folder}.kept`]);
    await must("umount", [folder]);
    await must("cp", ["-aT", `${folder}.kept`, folder]);
    for (const path of Object.keys(OCCUPANT)) await rm(shop.path(path));
    await rm(`${folder}.kept`, { recursive: true });
    await machine.boot();
    await shop.healthy();
  },
};

export const LIFE_CASES: readonly Case[] = [message, kill(SIDECAR), kill(GATEWAY), watchdog, reboot, powerCut, badBoot];
