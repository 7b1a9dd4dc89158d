import { readSecrets } from "../../../../../lib/allowed.ts";
import { answerPoll } from "../../../../../lib/outbox.ts";
import { pool } from "../../../../../lib/pool.ts";

// pg needs Node; and a question waits for as long as the bridge says (HOTBAGS_OUTBOX_SECONDS). It is never cached.
export const runtime = "nodejs";
export const dynamic = "force-dynamic";
export const maxDuration = 60;

export async function GET(request: Request): Promise<Response> {
  return answerPoll(request, { pool, ...readSecrets() });
}
