import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it, onTestFinished, vi } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { runHotbags } from "../shop/hotbags-command.ts";
import { until } from "../until.ts";
import { ANNA, BEN, messageOf } from "./message.ts";
import { scrape } from "./scrape.ts";
import { ShopWithOperator } from "./shop-with-operator.ts";

// `hotbags forget`, for a customer who asks for erasure, on the built sidecar while it runs. One sidecar for all tests;
// each has a customer of its own.

// Each test starts some processes: on a busy machine that takes its time.
vi.setConfig({ testTimeout: 60_000 });

let shop: ShopWithOperator;
let customers = 0;

beforeAll(async () => {
  shop = await ShopWithOperator.start();
});
afterAll(() => shop.close());

const newCustomer = () => `+1555765${String(++customers).padStart(4, "0")}`;
const hotbags = (...args: string[]) => runHotbags(shop.sidecar.dir, ...args);
const idOf = (customer: string, n: number) => `3EB0${customer.slice(-4)}ABCDEF0${n}`;

/** So many messages of a customer, each answered. */
async function converse(customer: string, count: number) {
  for (let n = 1; n <= count; n++)
    await shop.plugin.handIn(messageOf(idOf(customer, n), customer, { text: `canary of ${customer}` }));
  await until("all is settled", async () => {
    const counts = await scrape(shop.sidecar.port);
    return (
      ["pending", "sending"].every((state) => counts[`hotbags_commands{state="${state}"}`] === 0) &&
      counts['hotbags_messages{state="waiting"}'] === 0
    );
  });
}

/** Whether any file of the state folder has it. */
function isFound(words: string): boolean {
  return readdirSync(shop.sidecar.dir, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .some((file) => readFileSync(join(file.parentPath, file.name)).includes(words));
}

it("says what there is, and deletes nothing where it is only asked, or nobody says yes", async () => {
  const customer = newCustomer();
  await converse(customer, 2);
  const dry = await hotbags("forget", customer, "--dry-run");
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/^messages +2$/m) });
  expect(await hotbags("forget", customer)).toMatchObject({ code: 2, stderr: expect.stringMatching(/say --yes/) });
  expect(isFound(`canary of ${customer}`)).toBe(true);
});

it("deletes all of it, says so in the audit with the number masked, and still knows what comes again", async () => {
  const customer = newCustomer();
  await converse(customer, 2);
  const kept = [join(shop.sidecar.dir, "before-restore-then"), `${shop.sidecar.dir}.before-upgrade`];
  for (const folder of kept) mkdirSync(folder);
  const { code, stderr } = await hotbags("forget", customer, "--yes");
  for (const folder of kept) rmSync(folder, { recursive: true });
  expect([code, stderr]).toEqual([0, expect.stringMatching(/2 messages of \+1555…\d\d forgotten/)]);
  for (const folder of kept) expect(stderr).toContain(`\n  ${folder}\n`);
  for (const words of [customer.slice(1), idOf(customer, 1)]) expect([words, isFound(words)]).toEqual([words, false]);
  const audit = await hotbags("audit", "--json");
  const action = `forget +1555…${customer.slice(-2)}`;
  expect(JSON.parse(audit.stdout).slice(0, 2)).toMatchObject([
    { action, result: "done: 2 messages forgotten", kind: "chat" },
    { action, result: "begun", kind: "chat" },
  ]);
  const posts = shop.hotbags.requests.length;
  expect(await shop.plugin.handIn(messageOf(idOf(customer, 1), customer))).toMatchObject({
    type: "ack",
    duplicate: true,
  });
  expect(await shop.plugin.handIn(messageOf(idOf(customer, 2), customer))).toMatchObject({
    type: "ack",
    duplicate: true,
  });
  expect(isFound(customer.slice(1))).toBe(false);
  // What they write from now on is answered, as of anybody.
  await shop.plugin.handIn(messageOf(idOf(customer, 9), customer));
  await until("it is POSTed", () => shop.hotbags.requests.length === posts + 1);
});

it("refuses while something waits, unless that is to be given up", async () => {
  const customer = newCustomer();
  shop.hotbags.faultFor(({ from }) => from === customer, { status: 422 }, Number.POSITIVE_INFINITY);
  await shop.plugin.handIn(messageOf(idOf(customer, 1), customer, { text: `canary of ${customer}` }));
  const refused = await hotbags("forget", customer, "--yes");
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringMatching(/1 of them wait.*--including-waiting/) });
  expect(isFound(customer)).toBe(true);
  const given = await hotbags("forget", customer, "--yes", "--including-waiting");
  expect(given).toMatchObject({ code: 0, stderr: expect.stringMatching(/1 message of \S+ forgotten/) });
  expect(isFound(customer.slice(1))).toBe(false);
  // Its lane is free: nothing is POSTed any more, and others are.
  const posts = shop.hotbags.requests.length;
  await shop.plugin.handIn(messageOf(`B${posts}`, BEN));
  await until("another one is POSTed", () => shop.hotbags.requests.length === posts + 1);
  expect((await shop.health<{ messages: { pending: number } }>()).messages.pending).toBeLessThan(2);
});

it("wants a number, and a sidecar that runs, but not for saying what there is", async () => {
  expect(await hotbags("forget", "Anna", "--yes")).toMatchObject({ code: 2, stderr: expect.stringMatching(/E\.164/) });
  const dir = mkdtempSync(join(tmpdir(), "hotbags-stopped-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const store = openStore(dir, systemClock);
  await store.messages.accept(messageOf("A", ANNA));
  store.close();
  const { code, stdout, stderr } = await runHotbags(dir, "forget", ANNA, "--yes");
  expect([code, stdout, stderr]).toEqual([3, "", expect.stringMatching(/^hotbags: no sidecar runs on .*start it/)]);
  const dry = await runHotbags(dir, "forget", ANNA, "--dry-run");
  expect(dry).toMatchObject({ code: 0, stdout: expect.stringMatching(/^messages +1\nwaiting +1$/m) });
});
