import { readdirSync } from "node:fs";
import { join } from "node:path";
import { WIRE_VERSION } from "@hotbags/shared";
import { expect, onTestFinished, test } from "vitest";
import { Bridge } from "../bridge.ts";
import { LINK_TIMING } from "../link/timing.ts";
import { Outbox } from "../outbox/outbox.ts";
import { putWithFiles } from "../testing/backlog.ts";
import { temporaryFolder } from "../testing/folder.ts";
import { memoryLog } from "../testing/log.ts";
import { directContext, message } from "../testing/messages.ts";
import { ScratchSidecar, TOKEN } from "../testing/sidecar.ts";
import { until } from "../testing/until.ts";
import { type PARKED_COMMANDS, type ParkedOptions, runParked } from "./parked-commands.ts";
import { reportStatus } from "./status-report.ts";

const CHAT = "+15550001234";
const NOW = 1_767_607_200_000;

/** Runs `openclaw hotbags parked …` on a state folder, as a script would. */
function operator(stateDir: string) {
  return async (name: keyof typeof PARKED_COMMANDS, options: ParkedOptions = {}) => {
    const said = { out: "", err: "" };
    const code = await runParked(name, stateDir, options, {
      out(text) {
        said.out += text;
      },
      err(text) {
        said.err += text;
      },
    });
    return { code, ...said };
  };
}

/** An outbox whose gateway is down, with a parked message with a file, and one that is no message. */
function parkedTwo() {
  const stateDir = temporaryFolder();
  const file = join(stateDir, "hotbags", "outbox.sqlite");
  const outbox = new Outbox(file);
  onTestFinished(() => outbox.close());
  outbox.deadLetter(
    putWithFiles(outbox, { id: "A1", chat: CHAT }, [Buffer.from("a bag")]),
    "too_large",
    "too large",
    NOW,
  );
  const odd = { account: "default", chat: "1234567890@lid", messageId: "A2", reason: "it has no number" };
  outbox.put({ ok: false, ...odd, evidence: { context: {} } }, NOW);
  return { stateDir, outbox, run: operator(stateDir), media: () => readdirSync(join(stateDir, "hotbags", "media")) };
}

const problemsOf = async (stateDir: string) => (await reportStatus(stateDir, Date.now())).problems.join();

test("with the gateway down they are listed and shown, masked, and the words only to somebody whose name is written down", async () => {
  const { run } = parkedTwo();
  const listed = await run("list");
  expect(listed.out).toMatch(/^2 +\d{4}.* A2\n +it has no number\n1 +\d{4}.* \+1555…34 +A1\n +too large$/m);
  const shown = await run("show", { ids: ["A1"] });
  expect(shown.out).toContain("openclaw hotbags parked retry 1");
  for (const { out } of [listed, shown]) for (const secret of [CHAT, message().text]) expect(out).not.toContain(secret);
  expect((await run("audit")).err).toContain("Nobody has done anything");
  const whole = await run("show", { ids: ["1"], content: true, json: true });
  expect(JSON.parse(whole.out)).toMatchObject({ chat: CHAT, content: { message_id: "A1", text: message().text } });
  const audit = JSON.parse((await run("audit", { json: true })).out);
  expect(audit).toMatchObject([{ action: "read the text", message_id: "A1", chat: "+1555…34", result: "done" }]);
});

test("one that is sent again waits with its own bytes and files, and is a problem no more", async () => {
  const { run, outbox, stateDir, media } = parkedTwo();
  expect(await run("retry", { ids: ["A1"] })).toMatchObject({ code: 0 });
  const row = outbox.nextOf({ account: "default", chat: CHAT }, 0);
  expect(row).toMatchObject({ messageId: "A1", incomplete: false, files: 1 });
  expect(JSON.parse(row?.body ?? "")).toMatchObject({ message_id: "A1", text: message().text });
  expect(row && outbox.filesOf(row)).toHaveLength(1);
  expect(media()).toHaveLength(1);
  expect(outbox.totals()).toMatchObject({ waiting: 1, dead: 1, files: 1 });
  expect(await problemsOf(stateDir)).toContain("1 dead letter in the outbox");
  const none = await run("retry", { ids: ["A2"] });
  expect(none).toMatchObject({ code: 1, err: expect.stringContaining("it is no message that can be sent") });
  expect(await run("discard", { ids: ["A2"], yes: true })).toMatchObject({ code: 0 });
  expect(await problemsOf(stateDir)).not.toContain("dead letter");
});

test("one that is discarded goes with its files, once somebody has said so, and leaves a line", async () => {
  const { run, outbox, media } = parkedTwo();
  expect(await run("discard", { ids: ["A1"] })).toMatchObject({ code: 2, err: expect.stringContaining("say --yes") });
  expect(outbox.totals().dead).toBe(2);
  expect(await run("discard", { all: true, yes: true })).toMatchObject({ code: 0 });
  expect(outbox.totals()).toMatchObject({ waiting: 0, dead: 0, deadBytes: 0, files: 0 });
  expect(media()).toEqual([]);
  const audit = JSON.parse((await run("audit", { json: true })).out) as { action: string; message_id: string }[];
  expect(audit.map(({ action, message_id }) => `${action} ${message_id}`)).toEqual(["discard A2", "discard A1"]);
});

test("a wrong command says what is wrong, with a code that a script can use", async () => {
  const { run, outbox } = parkedTwo();
  outbox.deadLetter(putWithFiles(outbox, { id: "A1", chat: "+15550005678" }, []), "bad_message", "odd", NOW);
  const answers: [Parameters<typeof run>, number, RegExp][] = [
    [["show", { ids: ["nobody"] }], 1, /no parked message "nobody"/],
    [["show", { ids: ["A1"] }], 2, /which of \d+, \d+/],
    [["retry", {}], 2, /Name their ids, or say --all/],
    [["retry", { all: true, ids: ["1"] }], 2, /Name their ids, or say --all/],
    [["retry", { all: true }], 2, /3 messages will be sent .*say --yes/],
  ];
  for (const [args, code, err] of answers)
    expect(await run(...args), JSON.stringify(args)).toMatchObject({ code, err: expect.stringMatching(err) });
  expect(outbox.totals().dead).toBe(3);
  const nowhere = await operator(temporaryFolder())("list", { json: true });
  expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining("there is no outbox") });
  expect(JSON.parse(nowhere.out)).toEqual({ error: expect.stringContaining("there is no outbox") });
});

test("beside a gateway that runs, one that is sent again reaches the sidecar, which hears that none is parked any more", async () => {
  const sidecar = await ScratchSidecar.start();
  const stateDir = temporaryFolder();
  let isMended = false;
  sidecar.answers = ({ ref }) =>
    isMended
      ? { v: WIRE_VERSION, type: "ack", ref, duplicate: false }
      : { v: WIRE_VERSION, type: "refused", ref, code: "bad_message", reason: "not yet", retry: false };
  const bridge = new Bridge({
    ...{ stateDir, openclawVersion: "2026.9.6", log: memoryLog(), isConsumed: () => false },
    ...{ readConfig: () => ({ sidecarUrl: sidecar.url, token: TOKEN, lowDiskBytes: 0 }), lookEveryMs: 1 },
    linkTiming: { ...LINK_TIMING, reconnectBaseMs: 1, reconnectMaxMs: 5, beatMs: 5 },
  });
  onTestFinished(() => bridge.stop());
  bridge.start();
  await bridge.onDispatch(directContext({ MessageSid: "A1" }));
  const told = () => sidecar.frames.filter((frame) => frame.type === "status").at(-1)?.parked_messages;
  await until("it is parked", () => told() === 1);
  isMended = true;
  const run = operator(stateDir);
  expect(await run("retry", { ids: ["A1"] })).toMatchObject({ code: 0 });
  await until("the sidecar has it", () => sidecar.taken.includes("A1"));
  await until("none is parked", () => told() === 0);
  // What the plugin says of its link is written beside all this, later on a slow disk.
  await until("nothing is a problem", async () => (await reportStatus(stateDir, Date.now())).problems.length === 0);
});
