import { count } from "@hotbags/shared";
import { ALERTS, type Kind } from "../alerts/table.ts";
import { type Answered, EFFECTS, type Station } from "./path-effects.ts";
import { type Hop, oldest, type Trouble } from "./path-hops.ts";

/** Whether customers are being answered, in a sentence. */
interface Answer {
  readonly answered: Answered;
  /** `yes`, `yes_look`, or the code of the hop, or the kind of the alert, that it is for. */
  readonly code: string;
  /** Wall-clock ms; null: not known. */
  readonly since: number | null;
  readonly sentence: string;
}

/** Each stands alone between all customers and an answer: a cause before what follows from it. */
const SINGLES: readonly Station[] = ["sidecar", "openclaw", "plugin", "hotbags"];

const NO = "Customers are not being answered";
const UNKNOWN = "It is not known whether customers are being answered";
const PARTLY = "Not all customers are being answered";

/** `alerts`: how many last. */
export function answerOf(hops: readonly Hop[], troubles: readonly Trouble[], alerts: number): Answer {
  const sessions = hops.filter(({ hop }) => hop === "whatsapp");
  const singles = SINGLES.flatMap((single) => hops.filter(({ hop }) => hop === single));
  const isDown = ({ state }: Hop) => state === "down";
  const isUnknown = ({ state }: Hop) => state === "unknown";

  const cut = singles.find(isDown) ?? (sessions.every(isDown) ? sessions[0] : undefined);
  if (cut) return { answered: "no", ...byHop(NO, cut, troubles) };

  const someWork = sessions.some((hop) => !isDown(hop) && !isUnknown(hop));
  const dark = singles.find(isUnknown) ?? (someWork ? undefined : sessions.find(isUnknown));
  if (dark) return { answered: "unknown", ...byHop(UNKNOWN, dark, troubles) };
  const silence = oldest(troubles.filter(means("unknown")));
  if (silence) return { answered: "unknown", ...byTrouble(UNKNOWN, silence) };

  const lame = [...sessions, ...singles].find(({ state }) => state !== "ok");
  if (lame) return { answered: "partly", ...byHop(PARTLY, lame, troubles) };
  const held = oldest(troubles.filter(means("partly")));
  if (held) return { answered: "partly", ...byTrouble(PARTLY, held) };

  const since = Math.max(...hops.map((hop) => hop.since ?? Number.NEGATIVE_INFINITY));
  const more = alerts === 0 ? "." : `, but ${count(alerts, "thing needs", "things need")} you (hotbags alerts list).`;
  return {
    ...{ answered: "yes", code: alerts === 0 ? "yes" : "yes_look", since: Number.isFinite(since) ? since : null },
    sentence: `Customers are being answered${more}`,
  };
}

function means(answered: "partly" | "unknown") {
  return ({ kind }: Trouble) => {
    const effect = EFFECTS[kind];
    return effect !== null && "answered" in effect && effect.answered === answered;
  };
}

function byTrouble(says: string, { kind, since }: Trouble) {
  return { code: kind, since, sentence: `${says}: ${lowered(ALERTS[kind].title)}.` };
}

function byHop(says: string, { code, since, sentence, account }: Hop, troubles: readonly Trouble[]) {
  const whose = account === null ? "" : ` (account ${account})`;
  const isNamed = code in ALERTS;
  const what = isNamed ? `${says}: ${lowered(ALERTS[code as Kind].title)}${whose}.` : `${says}. ${sentence}`;
  const isTold = troubles.some((one) => one.kind === code && one.isTold);
  return { code, since, sentence: isNamed && !isTold ? `${what} It may pass by itself.` : what };
}

/** In the middle of a sentence; a name stays as it is. */
function lowered(title: string): string {
  return /^(WhatsApp|Hot Bags)/.test(title) ? title : `${title.charAt(0).toLowerCase()}${title.slice(1)}`;
}
