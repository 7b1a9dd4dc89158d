import type { Path } from "../api/answers.ts";
import { api } from "../api/client.ts";
import { Fleet } from "../parts/fleet.tsx";
import { Foreign } from "../parts/foreign.tsx";
import { PathPicture } from "../parts/path-picture.tsx";
import { State } from "../parts/state.tsx";
import { Title } from "../parts/title.tsx";
import { When } from "../parts/when.tsx";
import { path as livePath } from "../state/live.ts";
import { useLoad } from "../state/loading.ts";
import { linkTo } from "../state/route.ts";
import { canAct } from "../state/session.ts";
import { showDuration, texts } from "../texts/index.ts";

const TONES = { yes: "good", partly: "wait", no: "bad", unknown: "off" } as const;

/** Codes of an account that only a phone can help. */
const NEEDS_PHONE = ["logged_out", "not_linked", "replaced"];

/** One sentence, the way as a picture, and what needs the owner. */
export function Now() {
  // The first one without the stream: it may have to wait for another tab.
  const asked = useLoad("path", api.path, true);
  const path = livePath.value ?? asked.data;
  const { now, page } = texts.value;
  return (
    <>
      <Title>{now.title}</Title>
      <p class={`answer ${path ? TONES[path.answered] : "off"}`} role="status">
        {path ? now.answer(path) : now.unknownYet}
        {path?.since && (
          <small>
            {" "}
            {page.since("")}
            <When at={path.since} />
          </small>
        )}
      </p>
      {path && (
        <>
          <section aria-label={now.picture}>
            <PathPicture hops={path.hops} />
            <Hops path={path} />
          </section>
          <Needs path={path} />
          <Waiting path={path} />
          <Fleet />
        </>
      )}
    </>
  );
}

function Hops({ path }: { path: Path }) {
  const { now, page } = texts.value;
  return (
    <ol class="hops">
      {path.hops.map(({ hop, account_id, state, since, sentence, code }) => (
        <li key={`${hop} ${account_id}`}>
          <State state={state}>{now.state[state]}</State> <strong>{now.hop[hop]}</strong>
          {account_id !== null && ` (${now.account(account_id)})`}:{" "}
          <Sentence text={now.hopSentence(code, sentence)} own={sentence} />{" "}
          {since !== null && (
            <small>
              {page.since("")}
              <When at={since} />
            </small>
          )}{" "}
          {account_id !== null && canAct.value && NEEDS_PHONE.includes(code) && (
            <a class="button primary" href={linkTo("relink", account_id)}>
              {now.relink}
            </a>
          )}
        </li>
      ))}
    </ol>
  );
}

/** Marked as English where it is not said in the page's own language. */
function Sentence({ text, own }: { text: string; own: string }) {
  return text === own ? <Foreign>{text}</Foreign> : <span>{text}</span>;
}

function Needs({ path: { alerts, dead, in_doubt, refused } }: { path: Path }) {
  const { now } = texts.value;
  const isKnown = dead !== null;
  const needs = [
    { n: alerts, says: now.alerts, what: now.alertsWhat, link: linkTo("alerts") },
    { n: dead, says: now.dead, what: now.deadWhat, link: linkTo("messages", null, { state: "dead" }) },
    { n: in_doubt, says: now.inDoubt, what: now.inDoubtWhat, link: linkTo("replies", null, { state: "in_doubt" }) },
  ].filter(({ n }) => (n ?? 0) > 0);
  return (
    <section>
      <h2>{now.needsYou}</h2>
      {needs.length === 0 ? (
        isKnown && <p class="quiet">{now.nothing}</p>
      ) : (
        <ul class="needs">
          {needs.map(({ n, says, what, link }) => (
            <li key={link}>
              <a href={link}>
                <strong>{says(n ?? 0)}</strong>
              </a>
              <p>{what}</p>
            </li>
          ))}
        </ul>
      )}
      {!isKnown && <p class="quiet">{now.notKnown}</p>}
      {(refused ?? 0) > 0 && (
        <p class="quiet">
          <a href={linkTo("replies", null, { state: "failed" })}>{now.refused(refused ?? 0)}</a> {now.refusedWhat}
        </p>
      )}
    </section>
  );
}

function Waiting({ path: { waiting } }: { path: Path }) {
  const { now } = texts.value;
  const rows = [
    { n: waiting.messages ?? 0, ms: waiting.oldest_ms, says: now.waitingMessages },
    { n: waiting.replies ?? 0, ms: waiting.oldest_reply_ms, says: now.waitingReplies },
  ].filter(({ n }) => n > 0);
  return (
    <section>
      <h2>{now.waiting}</h2>
      {rows.length === 0 ? (
        <p class="quiet">{waiting.messages === null ? now.notKnown : now.nothingWaits}</p>
      ) : (
        <ul>
          {rows.map(({ n, ms, says }) => (
            <li key={says(n)}>
              {says(n)}
              {ms !== null && `, ${now.oldest(showDuration(ms))}`}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
