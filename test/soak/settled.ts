import type { Shop } from "../shop/shop.ts";
import { until } from "../until.ts";
import type { Sent } from "../whatsapp/index.ts";

/** When nothing has moved for this time at the end, ms, something hangs. The longest wait is that of a message between two attempts. */
const STALLED_MS = 120_000;

/** OpenClaw has sent its receipt before it hands a message over, and drops some: nothing has moved for this time, ms, when all are through. */
const HANDED_OVER_MS = 15_000;

/** However much there is to do at the end, OpenClaw does it at 20 replies a second. */
const SETTLE_MS = 3_600_000;

/** The ids of messages in the order in which they come to the plugin from now on, each once. `forget` ends that. */
export function noteCaptured({ gateway }: Shop): { captured: Set<string>; forget: () => void } {
  const captured = new Set<string>();
  const forget = gateway.onLine((line) => {
    const id = /message_id=(\S+) captured$/.exec(line)?.[1];
    if (id !== undefined) captured.add(id);
  });
  return { captured, forget };
}

/** Waits until nothing moves any more. Returns how many replies are in doubt, or were handed to the gateway's own queue and dropped there. */
export async function settled(shop: Shop, sent: readonly Sent[]): Promise<number> {
  let seen = "";
  let movedAt = performance.now();
  return until(
    "everything is settled",
    async () => {
      const { status, body } = await shop.health();
      const taken = sent.filter(({ receipt }) => receipt !== undefined).length;
      const now = JSON.stringify([taken, body["messages"], body["commands"]], (key, value) =>
        key === "oldest_wait_ms" ? 0 : value,
      );
      if (now !== seen) movedAt = performance.now();
      seen = now;
      if (performance.now() - movedAt > STALLED_MS)
        throw new Error(`nothing has moved for ${STALLED_MS} ms: ${JSON.stringify(body)}`);
      const { pending } = body["messages"] as { pending: number };
      const commands = body["commands"] as Record<string, number>;
      const { outbox } = body["plugin"] as { outbox: { messages: number } | null };
      // What OpenClaw has not taken yet is still to come: on a busy machine it listens long after it is connected.
      const isTaken = taken === sent.length;
      const isQuiet = pending === 0 && commands["pending"] === 0 && commands["sending"] === 0;
      const idle = isTaken && isQuiet && outbox?.messages === 0;
      // A green light: nothing is down, so nothing more can come by itself.
      if (status !== 200 || !idle) return undefined;
      const accepted = new Set(shop.hotbags.accepted.map(({ message_id }) => message_id));
      const isThrough = sent.every(({ id }) => accepted.has(id));
      if (!isThrough && performance.now() - movedAt < HANDED_OVER_MS) return undefined;
      return { inDoubt: commands["in_doubt"] ?? 0 };
    },
    SETTLE_MS,
  ).then(({ inDoubt }) => inDoubt);
}
