import type { ComponentChildren } from "preact";
import { useId, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Repair } from "../api/answers.ts";
import { ApiError } from "../api/client.ts";
import { expire } from "../state/session.ts";
import { texts } from "../texts/index.ts";
import { note } from "./notices.tsx";

interface ActProps {
  label: string;
  title: string;
  /** What will happen, in the owner's words. */
  says: string;
  /** Does it. Resolves with what to say when it is done; rejects with what to say when it is not. */
  act: () => Promise<string>;
  /** Called when it was tried: somebody else may have been faster. */
  onTried: () => void;
  isDangerous?: boolean;
  /** What else has to be chosen. */
  children?: ComponentChildren;
}

/** A button that does something only after it was said what that is. */
export function Act({ label, title, says, act, onTried, isDangerous = false, children }: ActProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [isBusy, setBusy] = useState(false);
  const id = useId();
  const isTrying = useRef(false);
  useOvertaken(dialog, isTrying);
  const go = async () => {
    setBusy(true);
    isTrying.current = true;
    try {
      note("done", await act());
    } catch (error) {
      note("problem", problemOf(error));
    }
    dialog.current?.close();
    isTrying.current = false;
    setBusy(false);
    onTried();
  };
  return (
    <>
      <button type="button" class={isDangerous ? "danger" : ""} onClick={() => dialog.current?.showModal()}>
        {label}
      </button>
      <dialog ref={dialog} aria-labelledby={`${id}t`} aria-describedby={`${id}s`}>
        <h2 id={`${id}t`}>{title}</h2>
        <p id={`${id}s`}>{says}</p>
        {children}
        <div class="row">
          {/* First, so that it has the focus: a hasty Enter changes nothing. */}
          <button type="button" onClick={() => dialog.current?.close()} disabled={isBusy}>
            {texts.value.page.cancel}
          </button>
          <button type="button" class={isDangerous ? "danger" : "primary"} onClick={() => void go()} disabled={isBusy}>
            {isBusy ? texts.value.act.busy : label}
          </button>
        </div>
      </dialog>
    </>
  );
}

/** Says so where what was to be done is gone while one still reads what it would do: somebody else has done something. */
function useOvertaken(dialog: { current: HTMLDialogElement | null }, isTrying: { current: boolean }): void {
  useLayoutEffect(() => {
    const element = dialog.current;
    const place = location.hash;
    return () => {
      // Who goes to another view leaves it by himself; and what one does oneself may put something else in its place.
      if (element?.open && !isTrying.current && location.hash === place) note("problem", texts.value.act.overtaken);
    };
  }, [dialog, isTrying]);
}

/** Nothing was changed, as somebody else was faster, or it can't be. */
class NotDone extends Error {
  override name = "NotDone";
}

/** Of one repair: throws NotDone with the sidecar's reason. */
export function mustBeDone(repair: Repair | undefined): void {
  if (!repair?.done) throw new NotDone(repair?.reason ?? "");
}

/** Why what was asked for was not done, or that it is not known, in the owner's words. */
export function problemOf(error: unknown): string {
  const { act } = texts.value;
  const why = error instanceof Error ? error.message : String(error);
  if (error instanceof NotDone) return act.notDone(why);
  if (error instanceof ApiError && error.status === 0) return act.noAnswer;
  if (error instanceof ApiError && error.status === 401) expire();
  return act.failed(why);
}
