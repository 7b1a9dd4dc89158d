import { Pool } from "pg";

/** One for all requests of an instance. DATABASE_URL: Supabase's transaction pooler, port 6543. */
export const pool = new Pool({ connectionString: process.env["DATABASE_URL"], max: 5 });
// An idle connection that the pooler closes is an event; without a listener it would end the whole instance.
pool.on("error", (error) => console.error("an idle connection to the database broke:", error.message));
