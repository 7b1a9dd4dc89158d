import { assert, type Case } from "./case.ts";
import type { Ran } from "./command.ts";
import type { ShopMachine } from "./shop-machine.ts";

/** How many customers wait while the release is changed. */
const WAITING = 5;

/** Installs while messages of several customers wait for Hot Bags, and has each answered once. Resolves with what came of it. */
async function underWay(shop: ShopMachine, install: () => Promise<Ran>): Promise<Ran> {
  const customers = Array.from({ length: WAITING }, () => shop.newCustomer());
  const ran = await shop.whileHotBagsIsAway(async () => {
    for (const customer of customers) await customer.says("Do you ship to Spain?");
    await shop.wait("the sidecar has them", async () => (await shop.queued()) >= WAITING);
    return install();
  });
  for (const customer of customers) await shop.hears(customer, "Do you ship to Spain?");
  await shop.healthy();
  return ran;
}

async function running({ machine }: ShopMachine): Promise<string> {
  return machine.must("basename $(readlink /opt/hotbags)");
}

const upgrade: Case = {
  name: "upgrade",
  promise: "an upgrade from the release before, with messages in the queue, loses none and sends none twice",
  on: "cleared",
  leaves: "answering",
  async run(shop, { current, previous }) {
    // The uninstallation of before has taken away what the test had added to the units.
    await shop.far.appearOn(shop.machine);
    const first = await shop.install(previous);
    assert(first.code === 0, `${previous.version} could not be installed:\n${first.stdout}${first.stderr}`);
    await shop.answers();
    await shop.link();
    await shop.healthy();
    await shop.roundTrip();
    const { code, stdout, stderr } = await underWay(shop, () => shop.install(current));
    assert(code === 0, `the upgrade ended with code ${code}:\n${stdout}${stderr}`);
    const now = await running(shop);
    assert(now.startsWith(current.version), `${now} runs`);
  },
};

const rollback: Case = {
  name: "rollback",
  promise: "a release that does not start is taken back by install.sh itself, and nothing is lost",
  on: "answering",
  leaves: "answering",
  async run(shop, { broken }) {
    const before = await running(shop);
    const { code, stdout, stderr } = await underWay(shop, () => shop.install(broken, "--health-timeout", "30"));
    assert(code === 1 && /was taken back/.test(stderr), `it ended with code ${code}:\n${stdout}${stderr}`);
    const now = await running(shop);
    assert(now === before, `${now} runs instead of ${before}`);
  },
};

const interrupted: Case = {
  name: "upgrade-interrupted",
  promise: "an upgrade that is ended by Ctrl-C goes back whole, and nothing is lost",
  on: "answering",
  leaves: "answering",
  async run(shop, { broken }) {
    const before = await running(shop);
    const pointed = () => shop.wait("the new release is there", async () => (await running(shop)) !== before);
    const { code, stdout, stderr } = await underWay(shop, () => shop.installUntil(broken, pointed));
    assert(
      code === 1 && /taken back.*as well as before/.test(stderr),
      `it ended with code ${code}:\n${stdout}${stderr}`,
    );
    const now = await running(shop);
    assert(now === before, `${now} runs instead of ${before}`);
  },
};

export const UPGRADE_CASES: readonly Case[] = [upgrade, rollback, interrupted];
