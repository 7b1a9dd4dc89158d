// may-go-back.mjs <queue|outbox> <database> <copy of it>: how install.sh can go back to the release that the copy is of. It prints
//   as-it-is        that release can read the database: nothing of its form was changed since
//   with-the-copy   it can't, but the copy says all that counts
//   not-at-all      it can't, and the copy lacks what has come in or gone out: taking it back would lose messages, and send replies again
// and says on standard error, with code 1, what it can't read. A file that is not there is a database with nothing in it.
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";

/** For each: what is in it, and whether the copy says all of that. */
const KINDS = {
  // The sidecar's. By the newest rowid too: where old ones are forgotten as many come in, the counts stay as they are.
  queue: {
    tables: ["messages", "commands"],
    read: (table) => `SELECT state, count(*), max(rowid) FROM ${table} GROUP BY state ORDER BY state`,
    holds: (copy, now) => JSON.stringify(copy) === JSON.stringify(now),
  },
  // The plugin's. What has left it is in the sidecar's, which takes it once: it may come again, but not without its files, for those are
  // gone.
  outbox: {
    tables: ["waiting", "parked"],
    read: (table) => `SELECT * FROM ${table}`,
    holds: (copy, now) => {
      const [before, since] = [copy, now].map((rows) => new Map(rows.flat().map((row) => [keyOf(row), row])));
      const hasAll = [...since.keys()].every((key) => before.has(key));
      return hasAll && [...before].every(([key, { files }]) => since.has(key) || !files);
    },
  },
};

const [kind, ...paths] = process.argv.slice(2);
const { tables, read, holds } = KINDS[kind];
try {
  const [now, before] = paths.map(look);
  const answer = now.form === before.form ? "as-it-is" : holds(before.rows, now.rows) ? "with-the-copy" : "not-at-all";
  process.stdout.write(`${answer}\n`);
} catch (error) {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}

function look(path) {
  if (!existsSync(path)) return { form: 0, rows: tables.map(() => []) };
  try {
    const database = new DatabaseSync(path, { readOnly: true });
    try {
      const { user_version: form } = database.prepare("PRAGMA user_version").get();
      return { form, rows: tables.map((table) => database.prepare(read(table)).all()) };
    } finally {
      database.close();
    }
  } catch (error) {
    throw new Error(`${path} can't be read (${error.message})`);
  }
}

/** What a row says, in columns that each form of the outbox has. */
function keyOf({ account, chat, message_id, held, body, reason }) {
  return JSON.stringify([account, chat, message_id, held ?? null, body, reason ?? null]);
}
