import { readSecrets } from "../../../../../lib/allowed.ts";
import { answerPoll } from "../../../../../lib/outbox.ts";
import { pool } from "../../../../../lib/pool.ts";

// A question waits for as long as the bridge says (HOTBAGS_OUTBOX_SECONDS). It reads its request, so it is never cached.
export const maxDuration = 60;

export async function GET(request: Request): Promise<Response> {
  return answerPoll(request, { pool, ...readSecrets() });
}
