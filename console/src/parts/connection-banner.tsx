import { connection } from "../state/live.ts";
import { session } from "../state/session.ts";
import { showTime, texts } from "../texts/index.ts";

/** Says since when what is shown is old. It stands there always, so that a screen reader hears its change. */
export function ConnectionBanner() {
  const { state, since } = connection.value;
  const { connection: says } = texts.value;
  const isLost = state === "lost" && session.value;
  return (
    <div role="alert" class={isLost ? "banner" : ""}>
      {isLost && (
        <p>
          <strong>{says.lost(showTime(since))}</strong> {says.again}
        </p>
      )}
    </div>
  );
}
