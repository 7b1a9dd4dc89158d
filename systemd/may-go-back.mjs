// may-go-back.mjs <database> <copy of it>: how install.sh can go back to the release that the copy is of. It prints
//   as-it-is        that release can read the database: nothing of its form was changed since
//   with-the-copy   it can't, but nothing has come in or gone out since: the copy says the same
//   not-at-all      it can't, and the copy lacks what has: taking it back would lose messages, and send replies again
import { DatabaseSync } from "node:sqlite";

const [now, before] = process.argv.slice(2).map(look);
const same = JSON.stringify(now.work) === JSON.stringify(before.work);
process.stdout.write(now.schema === before.schema ? "as-it-is\n" : same ? "with-the-copy\n" : "not-at-all\n");

function look(path) {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const { user_version: schema } = database.prepare("PRAGMA user_version").get();
    // By the newest rowid too: where old ones are forgotten as many come in, the counts stay as they are.
    const state = (table) =>
      database.prepare(`SELECT state, count(*), max(rowid) FROM ${table} GROUP BY state ORDER BY state`).all();
    return { schema, work: [state("messages"), state("commands")] };
  } finally {
    database.close();
  }
}
