import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
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
  const args = ["--disable-warning=ExperimentalWarning", SCRIPT, join(folder, "bridge.sqlite"), copy];
  expect(execFileSync(process.execPath, args, { encoding: "utf8" })).toBe(`${answer}\n`);
});
