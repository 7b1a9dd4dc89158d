import { Pool } from "pg";
import { decide } from "../../../../../lib/decide.ts";
import { type Backend, ping, receive } from "../../../../../lib/receive.ts";

// An answer of a model may take its time. No `runtime`: it is Node anyway, and beside cacheComponents Next.js refuses it.
export const maxDuration = 60;

/** One for all requests of an instance. DATABASE_URL: Supabase's transaction pooler, port 6543. */
const pool = new Pool({ connectionString: process.env["DATABASE_URL"], max: 5 });
// An idle connection that the pooler closes is an event; without a listener it would end the whole instance.
pool.on("error", (error) => console.error("an idle connection to the database broke:", error.message));

export const POST = (request: Request): Promise<Response> => receive(request, readBackend());

/** `hotbags doctor` asks so whether the bridge is let in. */
export const HEAD = (request: Request): Promise<Response> => ping(request, readBackend());

function readBackend(): Backend {
  const token = process.env["HOTBAGS_BEARER_TOKEN"];
  if (!token) throw new Error("HOTBAGS_BEARER_TOKEN is not set");
  const hmacSecret = process.env["HOTBAGS_HMAC_SECRET"] || null;
  const webhookSecret = process.env["HOTBAGS_WEBHOOK_SECRET"] || null;
  return { pool, token, hmacSecret, webhookSecret, decide };
}
