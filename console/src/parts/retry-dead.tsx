import { useRef } from "preact/hooks";
import type { RetriedDead } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { SPANS, type Span } from "../state/message-filter.ts";
import { texts } from "../texts/index.ts";
import { Act } from "./act.tsx";

/** Everything that was given up since a time goes to Hot Bags again. */
export function RetryDead({ onTried }: { onTried: () => void }) {
  const { messages } = texts.value;
  const chosen = useRef<HTMLSelectElement>(null);
  const names = { day: messages.lastDay, hour: messages.lastHour, week: messages.lastWeek };
  return (
    <Act
      label={messages.retryDead}
      title={messages.retryDeadTitle}
      says={messages.retryDeadSays}
      act={async () => {
        const span = chosen.current?.value as Span | undefined;
        return say(await retryAll(new Date(Date.now() - SPANS[span ?? "day"]).toISOString()));
      }}
      onTried={onTried}
    >
      <label>
        {messages.retryDeadSince}
        <select ref={chosen}>
          {Object.entries(names).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </Act>
  );
}

/** How many wait again, and why others can't. Rejects with ApiError. */
async function retryAll(since: string): Promise<{ retried: number; refused: RetriedDead["refused"] }> {
  let retried = 0;
  const refused: RetriedDead["refused"] = [];
  for (let after: number | null = null; ; ) {
    const answer: RetriedDead = await api.retryDead(since, after);
    retried += answer.retried;
    refused.push(...answer.refused);
    after = answer.next;
    if (after === null) return { retried, refused };
  }
}

function say({ retried, refused }: Awaited<ReturnType<typeof retryAll>>): string {
  const { messages } = texts.value;
  const [first] = refused;
  const done = messages.retryDeadDone(retried);
  return first === undefined ? done : `${done} ${messages.retryDeadRefused(refused.length, first.id, first.reason)}`;
}
