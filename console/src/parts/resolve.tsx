import { api } from "../api/client.ts";
import { canAct } from "../state/session.ts";
import { texts } from "../texts/index.ts";
import { Act, mustBeDone } from "./act.tsx";

/** What a reply in doubt can be made of. */
export function Resolve({ command, onTried }: { command: number; onTried: () => void }) {
  const { act } = texts.value;
  if (!canAct.value) return null;
  const ways = [
    { as: "sent", label: act.sent, title: act.sentTitle, says: act.sentSays, done: act.sentDone },
    { as: "resend", label: act.resend, title: act.resendTitle, says: act.resendSays, done: act.resendDone },
    { as: "discard", label: act.drop, title: act.dropTitle, says: act.dropSays, done: act.dropDone },
  ] as const;
  return (
    <div class="row">
      {ways.map(({ as, label, title, says, done }) => (
        <Act
          key={as}
          label={label}
          title={title(command)}
          says={`${act.resolveSays} ${says}`}
          isDangerous={as !== "sent"}
          act={async () => {
            mustBeDone(await api.resolve(command, as));
            return done(command);
          }}
          onTried={onTried}
        />
      ))}
    </div>
  );
}
