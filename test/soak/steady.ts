import type { Shop } from "../shop/shop.ts";
import type { Contact, Sent } from "../whatsapp/index.ts";
import { count, type Ledger } from "./ledger.ts";
import { noteCaptured, settled } from "./settled.ts";

export interface SteadyOptions {
  /** Customers write until then, ms. What is on its way is waited for after it. */
  durationMs: number;
  customers: number;
  log(line: string): void;
}

/** A customer who has no answer by then, ms, writes on; the ledger has the last word on what became of it. */
const IMPATIENT_MS = 60_000;

/**
 * Lets customers write at the gateway's own pace, each as soon as the reply to the last message is there. Nothing is killed, so that
 * what a process holds shows whether that grows. Waits until all has settled, and counts.
 */
export async function steadyLoop(shop: Shop, { durationMs, customers, log }: SteadyOptions): Promise<Ledger> {
  const sent: Sent[] = [];
  const { captured, forget } = noteCaptured(shop);
  shop.hotbags.answers(({ message_id }) => [
    { command_id: `${message_id}-a`, type: "send_text", text: `a reply to ${message_id}` },
  ]);
  const endsAt = performance.now() + durationMs;
  const write = async (contact: Contact) => {
    for (let n = 0; performance.now() < endsAt; n += 1) {
      const message = await contact.says(`message ${n} of ${contact.number}`);
      sent.push(message);
      await contact.hears(`a reply to ${message.id}`, { timeoutMs: IMPATIENT_MS }).catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: customers }, () => write(shop.newCustomer())));
  log(`${sent.length} messages are written; waiting until all has settled`);
  const inDoubt = await settled(shop, sent);
  sent.sort((a, b) => a.acceptedAtMs - b.acceptedAtMs);
  forget();
  return count(shop, sent, [...captured], [], inDoubt);
}
