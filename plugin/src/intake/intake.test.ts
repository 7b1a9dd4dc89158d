import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Limits, Outbox } from "../outbox/outbox.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { memoryLog } from "../testing/log.ts";
import { captured } from "../testing/messages.ts";
import { until } from "../testing/until.ts";
import { INTAKE_LIMITS, Intake, type IntakeLimits } from "./intake.ts";

const FAST: IntakeLimits = {
  ...INTAKE_LIMITS,
  retryMs: 1,
  incompleteMs: 1,
  incompleteConsumedMs: 1,
  hookWaitMs: 60_000,
};

function setUp(limits: Partial<IntakeLimits> = {}, outboxLimits?: Limits) {
  const file = join(temporaryFolder(), "hotbags", "outbox.sqlite");
  const log = memoryLog();
  const ready: number[] = [];
  const intake = new Intake(
    () => new Outbox(file, outboxLimits),
    { inbound: join(dirname(file), "inbound"), maxFileBytes: () => 1_000_000 },
    log,
    (seq) => ready.push(seq),
    { ...FAST, ...limits },
  );
  onTestFinished(() => intake.stop());
  /** Takes the outbox's folder away: every attempt to open it fails until `repair`. */
  const breakDisk = () => {
    rmSync(dirname(file), { recursive: true, force: true });
    writeFileSync(dirname(file), "in the way");
  };
  const repair = () => {
    rmSync(dirname(file));
    mkdirSync(dirname(file));
  };
  const stored = () => {
    const outbox = new Outbox(file);
    const bodies = outbox.after(0, 1000).map(({ seq }) => JSON.parse(outbox.get(seq)?.body ?? "{}"));
    outbox.close();
    return bodies.map((body) => body.message_id);
  };
  return { intake, log, ready, breakDisk, repair, stored };
}

test("a stored message is on disk when store resolves, and is announced", async () => {
  const { intake, ready, stored } = setUp();
  await intake.store(captured({ message_id: "A" }));
  expect(stored()).toEqual(["A"]);
  expect(ready).toEqual([1]);
});

test("a message seen by message_received is announced when the complete one comes", async () => {
  const { intake, ready } = setUp({ incompleteMs: 60_000 });
  await intake.store(captured({ raw: {} }), "unlikely consumed");
  expect(ready).toEqual([]);
  await intake.store(captured());
  expect(ready).toEqual([1]);
});

test("a message seen by message_received is announced after a while if no complete one comes", async () => {
  const { intake, ready } = setUp();
  await intake.store(captured(), "unlikely consumed");
  await until("released", () => ready.length === 1);
  expect(intake.outbox()?.get(1)?.incomplete).toBe(false);
});

test("incomplete messages of a killed instance are taken over", async () => {
  const { intake, ready } = setUp();
  intake.outbox()?.put(captured(), Date.now(), true);
  intake.adoptIncomplete();
  await until("released", () => ready.length === 1);
});

test("while the disk fails messages wait in memory, in order, and their hooks with them", async () => {
  const { intake, log, breakDisk, repair, stored } = setUp();
  breakDisk();
  const stores = ["A", "B", "C"].map((id) => intake.store(captured({ message_id: id })));
  expect(intake.inMemory).toBe(3);
  expect(log.lines).toEqual([expect.stringMatching(/^error hotbags: outbox cannot be used, /)]);
  repair();
  await Promise.all(stores);
  expect(stored()).toEqual(["A", "B", "C"]);
  expect(intake.inMemory).toBe(0);
  expect(log.lines.at(-1)).toBe("info hotbags: outbox works again, nothing is left in memory");
});

test("a hook waits for a bounded time; the message stays in memory and is written later", async () => {
  const { intake, breakDisk, repair, stored } = setUp({ hookWaitMs: 5 });
  breakDisk();
  await intake.store(captured({ message_id: "A" }));
  expect(intake.inMemory).toBe(1);
  repair();
  await until("written", () => intake.inMemory === 0);
  expect(stored()).toEqual(["A"]);
});

test("a full outbox has the hook wait until there is room, and drops nothing", async () => {
  const { intake, log } = setUp({}, { messages: 1, bytes: 1_000_000 });
  await intake.store(captured({ message_id: "A" }));
  const hook = intake.store(captured({ message_id: "B" }));
  expect(log.lines.slice(1)).toEqual([
    expect.stringContaining("the outbox is full: 1 waiting messages and 0 dead letters (limit 1)"),
  ]);
  intake.outbox()?.remove([1]);
  await hook;
  expect(intake.outbox()?.get(2)?.messageId).toBe("B");
});

test("with a full memory too the hook waits longer, and the loss is named if even that ends", async () => {
  const { intake, log, breakDisk } = setUp({ memoryMessages: 1, hookWaitMs: 5, hookWaitWithoutMemoryMs: 20 });
  breakDisk();
  await intake.store(captured({ message_id: "A" }));
  await intake.store(captured({ message_id: "B" }));
  expect(intake.inMemory).toBe(1);
  expect(log.lines.at(-1)).toMatch(/^error hotbags: account=default chat=\+1555…01 message_id=B could not be kept/);
});

test("in memory too the complete capture takes the place of message_received's", async () => {
  const { intake, breakDisk, repair } = setUp({ incompleteMs: 60_000 });
  breakDisk();
  await intake.store(captured({ raw: {} }), "unlikely consumed");
  const complete = intake.store(captured());
  expect(intake.inMemory).toBe(1);
  repair();
  await complete;
  expect(intake.outbox()?.get(1)).toMatchObject({ incomplete: false, body: expect.stringContaining("Ada") });
});

test("stop ends every wait at once, after a last try", async () => {
  const { intake, log, breakDisk, repair, stored } = setUp({ retryMs: 60_000 });
  breakDisk();
  const hook = intake.store(captured({ message_id: "A" }));
  repair();
  intake.stop();
  await hook;
  expect(stored()).toEqual(["A"]);
  expect(log.lines.filter((line) => line.includes("not be written"))).toEqual([]);
});

test("stop names what could not be written", async () => {
  const { intake, log, breakDisk } = setUp({ retryMs: 60_000 });
  breakDisk();
  const hook = intake.store(captured({ message_id: "A" }));
  intake.stop();
  await hook;
  expect(log.lines.at(-1)).toMatch(/message_id=A could not be written before the stop/);
});

test("a hook that was under way during the stop still writes its message", async () => {
  const { intake, stored } = setUp();
  await intake.store(captured({ message_id: "A" }));
  intake.stop();
  await intake.store(captured({ message_id: "B" }));
  expect(stored()).toEqual(["A", "B"]);
  expect(intake.outbox()).toBeUndefined();
});

test("no log line has a text or a whole number in it", async () => {
  const { intake, log, breakDisk } = setUp({ hookWaitMs: 1 });
  breakDisk();
  await intake.store(captured({ text: "my secret" }));
  await intake.store({
    ...{ ok: false, account: "default", chat: "+15550001", messageId: "a\nb", reason: "from: must be" },
    evidence: { text: "my secret" },
  });
  intake.stop();
  expect(log.lines.length).toBeGreaterThan(2);
  expect(log.lines.join(" | ")).not.toMatch(/secret|15550001|\n/);
});
