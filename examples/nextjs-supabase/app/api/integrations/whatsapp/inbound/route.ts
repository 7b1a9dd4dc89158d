import { readSecrets } from "../../../../../lib/allowed.ts";
import { decide } from "../../../../../lib/decide.ts";
import { pool } from "../../../../../lib/pool.ts";
import { ping, receive } from "../../../../../lib/receive.ts";

// An answer of a model may take its time. No `runtime`: it is Node anyway, and beside cacheComponents Next.js refuses it.
export const maxDuration = 60;

export const POST = (request: Request): Promise<Response> => receive(request, { pool, ...readSecrets(), decide });

/** `hotbags doctor` asks so whether the bridge is let in. */
export const HEAD = (request: Request): Promise<Response> => ping(request, readSecrets());
