import type { Clock } from "../../clock.ts";
import { isDamage } from "../errors.ts";
import { layOut } from "../lay-out.ts";
import { madeUp, TRIES } from "../made-up-message.ts";
import { acceptVerb } from "./accept.ts";
import type { Connection, Queries } from "./connection.ts";
import { FLEET, guard } from "./lease.ts";
import type { Ownership } from "./ownership.ts";
import type { ProvenTime } from "./proven-time.ts";
import type { ReportKind } from "./reports.ts";
import { SENDING, SETTLED } from "./send.ts";
import { DELIVERED } from "./settle.ts";
import { Writing } from "./writing.ts";

interface RehearsalParts {
  connection: Connection;
  ownership: Pick<Ownership, "leases">;
  clock: Clock;
  time: ProvenTime;
  /** This release's schema. */
  release?: number | undefined;
  wanted: () => ReadonlySet<ReportKind>;
}

const ACCEPT = acceptVerb(() => false);

/** What it has done is to be taken back. */
class RehearsedError extends Error {}

/**
 * Whether the next message would come through: a made-up one is taken in, delivered and answered, as all others are, and
 * then taken back. Rejects with what stands in the way of the last one, if none comes through.
 */
export async function rehearse(parts: RehearsalParts): Promise<void> {
  let damage: unknown;
  for (let n = 0; n < TRIES; n += 1) {
    try {
      return await parts.connection.transaction((tx) => act(tx, parts));
    } catch (error) {
      if (error instanceof RehearsedError) return;
      if (!isDamage(error)) throw error;
      damage = error;
    }
  }
  throw damage;
}

/** Throws RehearsedError where it comes through. */
async function act(tx: Queries, { ownership, clock, time, release, wanted }: RehearsalParts): Promise<never> {
  const { secret, accounts } = await guard(tx, ownership.leases, release, time.seenAt);
  const account_id = [...accounts].find((account) => account !== FLEET) ?? "rehearsal";
  const guarded = { accounts: new Set([account_id]), secret };
  const writing = new Writing({ tx, guarded, clock, time, wanted: wanted() });
  const message = { ...madeUp(), account_id };
  const [id, text] = [message.message_id, message.text];
  const [accepted] = await ACCEPT.write(writing, [{ message, laidOut: layOut(message, { sizeOf: () => 0 }, 0) }]);
  const seq = accepted?.seq ?? 0;
  const command = { commandId: id, type: "send_text", text, payload: id, refusal: null };
  const [recorded] = await DELIVERED.write(writing, [{ seq, status: 200, response: "{}", commands: [command] }]);
  const next = recorded?.[0]?.id;
  // One of a chat that is paused goes no further.
  if (next != null) {
    await SENDING.write(writing, [{ id: next, gatewayProcess: id, beside: [account_id] }]);
    const settlement = { reason: null, whatsappMessageId: id };
    await SETTLED.write(writing, [{ id: next, state: "sent", settlement }]);
  }
  await writing.end();
  throw new RehearsedError();
}
