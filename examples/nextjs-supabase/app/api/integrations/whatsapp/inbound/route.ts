import { readSecrets } from "../../../../../lib/allowed.ts";
import { decide } from "../../../../../lib/decide.ts";
import { pool } from "../../../../../lib/pool.ts";
import { receive } from "../../../../../lib/receive.ts";

// pg needs Node; and an answer of a model may take its time.
export const runtime = "nodejs";
export const maxDuration = 60;

export async function POST(request: Request): Promise<Response> {
  return receive(request, { pool, ...readSecrets(), decide });
}
