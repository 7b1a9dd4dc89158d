import type { ComponentChildren } from "preact";
import type { Command, WholeMessage } from "../api/answers.ts";
import { showDuration, showTime, texts } from "../texts/index.ts";
import { Foreign } from "./foreign.tsx";
import { Resolve } from "./resolve.tsx";
import { State } from "./state.tsx";
import { When } from "./when.tsx";

interface Moment {
  at: string;
  what: ComponentChildren;
}

/** What happened to a message, the first first. */
export function Timeline({ whole, onTried }: { whole: WholeMessage; onTried: () => void }) {
  const { message } = texts.value;
  const { failed_attempts, failed_count, retries, commands, received_at } = whole;
  const lost = failed_count - failed_attempts.length;
  const moments: Moment[] = [
    { at: received_at, what: message.received },
    ...failed_attempts.map((attempt) => ({ at: attempt.at, what: <Attempt attempt={attempt} /> })),
    ...retries.map(({ at, who }) => ({ at, what: message.retried(who) })),
    ...endOf(whole),
    ...commands.map((command) => ({
      at: command.settled_at ?? command.created_at,
      what: <CommandOf command={command} onTried={onTried} />,
    })),
  ].toSorted((a, b) => Date.parse(a.at) - Date.parse(b.at));
  return (
    <>
      {lost > 0 && <p class="quiet">{message.earlier(lost)}</p>}
      <ol class="timeline">
        {moments.map(({ at, what }, n) => (
          <li key={n}>
            <When at={at} />
            <div>{what}</div>
          </li>
        ))}
        <Waits whole={whole} />
      </ol>
      {whole.state === "delivered" && commands.length === 0 && <p class="quiet">{message.noCommands}</p>}
    </>
  );
}

function Attempt({ attempt }: { attempt: WholeMessage["failed_attempts"][number] }) {
  const { message } = texts.value;
  const { duration_ms, status, error } = attempt;
  const facts = [
    status === null ? null : message.status(status),
    duration_ms === null ? null : message.took(showDuration(duration_ms)),
  ].filter((fact) => fact !== null);
  return (
    <>
      {message.attempt(attempt.attempt)}
      {facts.length > 0 && ` (${facts.join(", ")})`}
      {error !== null && (
        <>
          : <Foreign>{error}</Foreign>
        </>
      )}
    </>
  );
}

/** How it ended, if it has. */
function endOf({ state, settled_at, duration_ms, status, last_error }: WholeMessage): Moment[] {
  const { message } = texts.value;
  if (settled_at === null) return [];
  if (state === "delivered") {
    const took = duration_ms === null ? "" : ` (${message.took(showDuration(duration_ms))})`;
    return [
      { at: settled_at, what: `${message.delivered}${took}${status === null ? "" : `, ${message.status(status)}`}` },
    ];
  }
  if (state !== "dead" && state !== "discarded") return [];
  const what = (
    <>
      <State state={state}>{message[state]}</State> {last_error !== null && <Foreign>{last_error}</Foreign>}
    </>
  );
  return [{ at: settled_at, what }];
}

function Waits({ whole: { state, waits_for, waits_until, next_attempt_at } }: { whole: WholeMessage }) {
  const { message } = texts.value;
  if (state !== "pending" && state !== "detached") return null;
  const next = waits_until ?? next_attempt_at;
  return (
    <li>
      <span />
      <div>
        <State state={state}>{message.waits}</State>
        {waits_for != null && (
          <>
            : <Foreign>{waits_for}</Foreign>
          </>
        )}
        {next !== null && ` (${message.nextAttempt(showTime(next))})`}
      </div>
    </li>
  );
}

function CommandOf({ command: { id, type, state, reason }, onTried }: { command: Command; onTried: () => void }) {
  const { message } = texts.value;
  return (
    <>
      {message.command(type)} <State state={state}>{message.commandStates[state] ?? state}</State>
      {reason !== null && (
        <>
          : <Foreign>{reason}</Foreign>
        </>
      )}
      {state === "in_doubt" && <Resolve command={id} onTried={onTried} />}
    </>
  );
}
