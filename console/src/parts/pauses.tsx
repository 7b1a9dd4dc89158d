import { useRef } from "preact/hooks";
import type { Pause } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { canAct } from "../state/session.ts";
import { showTime, texts } from "../texts/index.ts";
import { Act } from "./act.tsx";
import { State } from "./state.tsx";

/** How long a chat can be paused from here, s. `hotbags pause` has any time. */
const LENGTHS = { quarter: 900, hour: 3_600, hours: 14_400, day: 86_400 } as const;
type Length = keyof typeof LENGTHS;

/** Whether the replies of a chat are held back, by whom and how long; and a human who answers there can have it so. */
export function Pauses({ chat, pauses, onTried }: { chat: number; pauses: Pause[]; onTried: () => void }) {
  const { pause } = texts.value;
  return (
    <>
      {pauses.map(({ by, replies, until, waiting }) => (
        <p key={by}>
          <State state="pending">{texts.value.chats.paused}</State>{" "}
          {pause.lasts(pause.by[by], showTime(until), pause.replies[replies], waiting)}
        </p>
      ))}
      {canAct.value && (
        <div class="row">
          <Begin chat={chat} onTried={onTried} />
          {pauses.length > 0 && (
            <Act
              label={pause.resume}
              title={pause.resumeTitle}
              says={pause.resumeSays}
              act={async () => ((await api.resume(chat)).was_paused ? pause.resumeDone : pause.wasNot)}
              onTried={onTried}
            />
          )}
        </div>
      )}
    </>
  );
}

function Begin({ chat, onTried }: { chat: number; onTried: () => void }) {
  const { pause } = texts.value;
  const length = useRef<HTMLSelectElement>(null);
  const replies = useRef<HTMLSelectElement>(null);
  const act = async () => {
    const seconds = LENGTHS[(length.current?.value ?? "hour") as Length];
    const { until } = await api.pause(chat, seconds, replies.current?.value === "skip" ? "skip" : "hold");
    return pause.done(showTime(until));
  };
  return (
    <Act label={pause.begin} title={pause.title} says={pause.says} act={act} onTried={onTried}>
      <label>
        {pause.forLabel}
        <select ref={length}>
          {Object.entries(pause.lengths).map(([name, says]) => (
            <option key={name} value={name} selected={name === "hour"}>
              {says}
            </option>
          ))}
        </select>
      </label>
      <label>
        {pause.repliesLabel}
        <select ref={replies}>
          {Object.entries(pause.replies).map(([name, says]) => (
            <option key={name} value={name}>
              {says}
            </option>
          ))}
        </select>
      </label>
    </Act>
  );
}
