import { useRef } from "preact/hooks";
import { api } from "../api/client.ts";
import { SPANS, type Span } from "../state/message-filter.ts";
import { texts } from "../texts/index.ts";
import { Act } from "./act.tsx";

/** Everything that was given up since a time goes to Hot Bags again. */
export function RetryDead({ onTried }: { onTried: () => void }) {
  const { messages } = texts.value;
  const span = useRef<HTMLSelectElement>(null);
  const names = { day: messages.lastDay, hour: messages.lastHour, week: messages.lastWeek };
  return (
    <Act
      label={messages.retryDead}
      title={messages.retryDeadTitle}
      says={messages.retryDeadSays}
      act={async () => {
        const since = Date.now() - SPANS[(span.current?.value ?? "day") as Span];
        const { retried } = await api.retryDead(new Date(since).toISOString());
        return messages.retryDeadDone(retried);
      }}
      onTried={onTried}
    >
      <label>
        {messages.retryDeadSince}
        <select ref={span}>
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
