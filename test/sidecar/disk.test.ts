import { execFileSync } from "node:child_process";
import { join } from "node:path";
import Database from "better-sqlite3";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { LogLine } from "../shop/sidecar-process.ts";
import { until } from "../until.ts";
import { BuiltSidecar } from "./built-sidecar.ts";
import { ANNA, messageOf } from "./message.ts";

const FILE_LIMIT_KIB = 600;
const TEXT = "x".repeat(20_000);

let sidecar: BuiltSidecar;

beforeEach(async () => {
  sidecar = await BuiltSidecar.start({ fileLimitKiB: FILE_LIMIT_KIB });
});
afterEach(() => sidecar.close());

it("a full disk: nothing is acked that is not on it, health is red, and it goes on by itself when there is room", async () => {
  const plugin = await sidecar.connect();
  const message = (n: number, text = TEXT) => messageOf(`M${n}`, ANNA, { text });
  const send = async (n: number, text?: string) => {
    const answer = await plugin.handIn(message(n, text));
    return answer.type === "refused" ? answer : { type: answer.type };
  };
  const diskTrouble = async () =>
    (await sidecar.health()).body.problems.filter((problem) => problem.includes("database can't be written"));

  expect(await diskTrouble()).toEqual([]);

  const acked: string[] = [];
  let ref = 0;
  let refusal = await send(ref);
  while (refusal.type === "ack") {
    acked.push(`M${ref}`);
    ref += 1;
    if (ref > 1_000) throw new Error("the disk never filled up");
    refusal = await send(ref);
  }
  expect(refusal).toMatchObject({ type: "refused", code: "not_stored", retry: true });
  expect(acked.length).toBeGreaterThan(5);
  expect(await diskTrouble()).toHaveLength(1);
  const isAlarm = (line: LogLine) =>
    line.level === "error" && line["alarm"] === true && line["message_id"] === `M${ref}`;
  await until("the alarm is in the log", () => sidecar.lines.some(isAlarm));

  expect(await send(ref + 1, "small enough for the last page")).toMatchObject({ code: "not_stored", retry: true });

  execFileSync("prlimit", ["--pid", String(sidecar.process.pid), "--fsize=unlimited"]);
  await until("the sidecar has found out", async () => (await diskTrouble()).length === 0);
  expect(await send(ref)).toMatchObject({ type: "ack" });
  acked.push(`M${ref}`);

  plugin.socket.terminate();
  await sidecar.process.kill();
  const tables = new Database(join(sidecar.dir, "bridge.sqlite"), { readonly: true });
  expect(tables.prepare("SELECT message_id FROM messages ORDER BY seq").pluck().all()).toEqual(acked);
  expect(tables.pragma("integrity_check", { simple: true })).toBe("ok");
  tables.close();
});
