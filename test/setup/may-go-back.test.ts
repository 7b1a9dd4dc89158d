import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, it } from "vitest";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore, type Store } from "../../sidecar/src/store/index.ts";
import { messageOf } from "../sidecar/message.ts";

// Whether install.sh may take the copy of the database back that it has made before an upgrade.

const SCRIPT = fileURLToPath(new URL("../../systemd/may-go-back.mjs", import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hotbags-go-back-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

async function run(what: (store: Store) => Promise<unknown>) {
  const store = openStore(folder, systemClock);
  await what(store);
  await store.close();
}

function change(sql: string) {
  const database = new DatabaseSync(join(folder, "bridge.sqlite"));
  database.exec(`PRAGMA foreign_keys = OFF; ${sql}`);
  database.close();
}

const nothing = async () => {};
const comesIn = () => run(({ messages }) => messages.accept(messageOf("NEW")));
const goesOut = () => run(({ messages }) => messages.dead(1, 500, "refused", 1));
/** As many as before are in each state. */
const oneForAnother = async () => {
  await comesIn();
  change("DELETE FROM messages WHERE message_id = 'OLD'");
};

it.each([
  ["nothing was", "the same form", nothing, "as-it-is"],
  ["a message has come in", "the same form", comesIn, "as-it-is"],
  ["nothing was", "another form", nothing, "with-the-copy"],
  ["a message has come in", "another form", comesIn, "not-at-all"],
  ["a message has gone out", "another form", goesOut, "not-at-all"],
  ["one has come in, and an old one was forgotten", "another form", oneForAnother, "not-at-all"],
])("%s, and the database has %s", async (_what, form, what, answer) => {
  await run(({ messages }) => messages.accept(messageOf("OLD")));
  const copy = join(folder, "copy");
  cpSync(join(folder, "bridge.sqlite"), copy);
  await what();
  if (form === "another form") change("PRAGMA user_version = 9999");
  expect(ask("queue", join(folder, "bridge.sqlite"), copy)).toBe(`${answer}\n`);
});

function ask(kind: string, database: string, copy: string): string {
  const args = ["--disable-warning=ExperimentalWarning", SCRIPT, kind, database, copy];
  return execFileSync(process.execPath, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}

const OUTBOX = (form: number) => `PRAGMA user_version = ${form};
  CREATE TABLE waiting (account TEXT, chat TEXT, message_id TEXT, held INTEGER, body TEXT, files INTEGER);
  CREATE TABLE parked (account TEXT, chat TEXT, message_id TEXT, reason TEXT, body TEXT);
  INSERT INTO waiting VALUES ('a', 'c', 'ONE', 0, '{}', 0), ('a', 'c', 'FILE', 0, '{}', 1)`;

it.each([
  ["nothing was", "SELECT 1", "with-the-copy"],
  ["the sidecar has taken one since", "DELETE FROM waiting WHERE message_id = 'ONE'", "with-the-copy"],
  ["the sidecar has taken one with a file", "DELETE FROM waiting WHERE message_id = 'FILE'", "not-at-all"],
  ["one has come in", "INSERT INTO waiting VALUES ('a', 'c', 'NEW', 0, '{}', 0)", "not-at-all"],
  ["it is the form of before", "PRAGMA user_version = 3", "as-it-is"],
])("the outbox has another form, and %s", (_what, sql, answer) => {
  for (const [name, form] of [
    ["now", 4],
    ["copy", 3],
  ] as const) {
    const database = new DatabaseSync(join(folder, name));
    database.exec(OUTBOX(form));
    if (name === "now") database.exec(sql);
    database.close();
  }
  expect(ask("outbox", join(folder, "now"), join(folder, "copy"))).toBe(`${answer}\n`);
});

it("there was no outbox, and now there is one with messages", () => {
  const database = new DatabaseSync(join(folder, "now"));
  database.exec(OUTBOX(4));
  database.close();
  expect(ask("outbox", join(folder, "now"), join(folder, "none"))).toBe("not-at-all\n");
  expect(ask("outbox", join(folder, "none"), join(folder, "none"))).toBe("as-it-is\n");
});

it("a copy that can't be read is said to be so", () => {
  writeFileSync(join(folder, "copy"), "no database, and longer than the header of one: ".repeat(40));
  expect(() => ask("outbox", join(folder, "none"), join(folder, "copy"))).toThrow(/copy can't be read/);
});
