// What the prototype writes, in the thread that it is asked in or in one of its own.
import { fileURLToPath } from "node:url";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import Database from "better-sqlite3";

/** A statement by its name, with its values: as data, since another thread may run it. */
export type Step = [name: "insert" | "deliver" | "command" | "sending" | "sent", ...values: (string | number)[]];
/** The steps of several jobs in one transaction. `written`: with the id of each step's row. */
export type Write = (jobs: Step[][], written: (ids: number[][]) => void) => void;

export function openWriter(file: string, thread: "this" | "own"): Write {
  if (thread === "this") {
    const write = openDatabase(file);
    return (jobs, written) => written(write(jobs));
  }
  const worker = new Worker(fileURLToPath(import.meta.url), { workerData: file });
  worker.on("error", (error) => {
    throw error;
  });
  const asked: ((ids: number[][]) => void)[] = [];
  worker.on("message", (ids: number[][]) => asked.shift()?.(ids));
  return (jobs, written) => {
    asked.push(written);
    worker.postMessage(jobs);
  };
}

function openDatabase(file: string): (jobs: Step[][]) => number[][] {
  const db = new Database(file);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec(`
    CREATE TABLE messages (seq INTEGER PRIMARY KEY, message_id TEXT NOT NULL UNIQUE, chat TEXT NOT NULL,
      request TEXT NOT NULL, response TEXT, state TEXT NOT NULL) STRICT;
    CREATE TABLE commands (id INTEGER PRIMARY KEY, command_id TEXT NOT NULL UNIQUE, seq INTEGER NOT NULL,
      text TEXT NOT NULL, state TEXT NOT NULL, whatsapp_message_id TEXT) STRICT;`);
  const sql = {
    insert: db.prepare("INSERT INTO messages (message_id, chat, request, state) VALUES (?, ?, ?, 'pending')"),
    deliver: db.prepare("UPDATE messages SET state = 'delivered', response = ? WHERE seq = ?"),
    command: db.prepare("INSERT INTO commands (command_id, seq, text, state) VALUES (?, ?, ?, 'pending')"),
    sending: db.prepare("UPDATE commands SET state = 'sending' WHERE id = ?"),
    sent: db.prepare("UPDATE commands SET state = 'sent', whatsapp_message_id = ? WHERE id = ?"),
  };
  const run = ([name, ...values]: Step) => Number(sql[name].run(...values).lastInsertRowid);
  return db.transaction((jobs: Step[][]) => jobs.map((steps) => steps.map(run)));
}

if (!isMainThread) {
  const write = openDatabase(workerData as string);
  let waiting: Step[][][] = [];
  // What has come while it was writing goes into one transaction.
  const writeAll = () => {
    const asked = waiting;
    waiting = [];
    const ids = write(asked.flat());
    for (const jobs of asked) parentPort?.postMessage(ids.splice(0, jobs.length));
  };
  parentPort?.on("message", (jobs: Step[][]) => {
    if (waiting.length === 0) setImmediate(writeAll);
    waiting.push(jobs);
  });
}
