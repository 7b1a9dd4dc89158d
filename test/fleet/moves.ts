import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { systemClock } from "../../sidecar/src/clock.ts";
import { openStore } from "../../sidecar/src/store/index.ts";
import { CLI } from "../shop/hotbags-command.ts";
import { startDatabases } from "./databases.ts";

/** Bytes of a message's text, as everywhere in these figures. */
const TEXT = "x".repeat(1_000);

const CHATS = 5_000;

/** What a move took, one way. */
export interface MoveCost {
  seconds: number;
  /** The most memory that the command had, MB. */
  rssMb: number;
  rows: number;
  /** Of the side that was written, MB. */
  writtenMb: number;
}

/** Moves a store of so many messages, each with a reply, to PostgreSQL and back. */
export async function measureMoves(messages: number): Promise<{ there: MoveCost; back: MoveCost; embeddedMb: number }> {
  const databases = await startDatabases();
  if (typeof databases === "string") throw new Error(databases);
  await using _ = databases;
  const stateDir = mkdtempSync(join(tmpdir(), "hotbags-moves-"));
  try {
    await fill(stateDir, messages);
    const file = join(stateDir, "bridge.sqlite");
    const embeddedMb = mbOf(statSync(file).size);
    const url = await databases.make();
    const env = { ...process.env, BRIDGE_STATE_DIR: stateDir, BRIDGE_STORE: url };
    const there = await measure(env, "--to");
    const name = new URL(url).pathname.slice(1);
    const [size] = await databases.server.rows<{ bytes: number }>("SELECT pg_database_size($1::name) AS bytes", name);
    const back = await measure(env, "--back");
    const written = { there: mbOf(size?.bytes ?? 0), back: mbOf(statSync(file).size) };
    return {
      there: { ...there, writtenMb: written.there },
      back: { ...back, writtenMb: written.back },
      embeddedMb,
    };
  } finally {
    rmSync(stateDir, { recursive: true, force: true });
  }
}

const mbOf = (bytes: number) => bytes / 1_000_000;

async function measure(env: NodeJS.ProcessEnv, way: "--to" | "--back"): Promise<Omit<MoveCost, "writtenMb">> {
  const began = performance.now();
  const child = spawn(process.execPath, [CLI, "migrate", way, "--json"], { env, stdio: ["ignore", "pipe", "inherit"] });
  let [rssMb, said] = [0, ""];
  child.stdout.on("data", (piece) => {
    said += piece;
  });
  // The most that it ever had, as the kernel knows it, so that it does not matter when it is looked at.
  const looking = setInterval(() => {
    rssMb = Math.max(rssMb, highWater(child.pid ?? 0));
  }, 250);
  const [code] = await once(child, "close");
  clearInterval(looking);
  if (code !== 0) throw new Error(`it ended with ${code}`);
  return { seconds: (performance.now() - began) / 1_000, rssMb, rows: JSON.parse(said).rows };
}

function highWater(pid: number): number {
  try {
    const kb = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    return (Number(kb ?? 0) * 1_024) / 1_000_000;
  } catch {
    // It has ended.
    return 0;
  }
}

/** As the verbs would have left it, in a fraction of the time. */
async function fill(stateDir: string, messages: number): Promise<void> {
  await openStore(stateDir, systemClock).close();
  const db = new Database(join(stateDir, "bridge.sqlite"));
  const now = Date.now();
  db.pragma("synchronous = OFF");
  const chat = db.prepare("INSERT INTO chats VALUES (?, 'default', ?)");
  const message = db.prepare(
    `INSERT INTO messages (seq, chat, message_id, state, attempts, received_at, settled_at, status, state_since)
     VALUES (?, ?, ?, 'delivered', 1, @now, @now, 200, @now)`,
  );
  const payload = db.prepare("INSERT INTO payloads VALUES (?, ?, ?)");
  const command = db.prepare(
    `INSERT INTO commands (id, seq, chat, position, command_id, type, text, payload_sha256, state, created_at, sending_at,
       gateway_process, settled_at, whatsapp_message_id) VALUES (?, ?, ?, 0, ?, 'send_text', ?, ?, 'sent', @now, @now, 'g', @now, ?)`,
  );
  db.transaction(() => {
    for (let n = 1; n <= CHATS; n += 1) chat.run(n, `+1555${String(n).padStart(7, "0")}`);
    for (let seq = 1; seq <= messages; seq += 1) {
      const at = 1 + (seq % CHATS);
      message.run(seq, at, `3EB0${seq.toString(16).padStart(16, "0").toUpperCase()}`, { now });
      payload.run(
        seq,
        JSON.stringify({ message_id: seq, text: TEXT, raw: {} }),
        `{"commands":[{"command_id":"c-${seq}"}]}`,
      );
      command.run(seq, seq, at, `c-${seq}`, TEXT.slice(0, 120), "0".repeat(64), `WA-${seq}`, { now });
    }
    const count = db.prepare("INSERT OR REPLACE INTO counters VALUES (?, ?)");
    for (const name of ["accepted", "delivered", "commands_sent"]) count.run(name, messages);
    db.prepare("INSERT OR REPLACE INTO proven_time VALUES (1, @now, @now)").run({ now });
  })();
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
}
