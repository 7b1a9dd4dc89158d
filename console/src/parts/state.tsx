/** How good a state is: each has a sign besides its colour. */
type Tone = "good" | "wait" | "bad" | "off";

const TONES: Record<string, Tone> = {
  ...{ delivered: "good", sent: "good", done: "good", ok: "good", connected: "good" },
  ...{ pending: "wait", detached: "wait", sending: "wait", queued_by_gateway: "wait", slow: "wait", warning: "wait" },
  ...{ connecting: "wait", reconnecting: "wait" },
  ...{ dead: "bad", failed: "bad", in_doubt: "bad", down: "bad", critical: "bad" },
  ...{ logged_out: "bad", replaced: "bad", not_linked: "bad", stopped: "bad" },
};

const SIGNS: Record<Tone, string> = { good: "✓", wait: "…", bad: "!", off: "–" };

export const toneOf = (state: string): Tone => TONES[state] ?? "off";

/** A state in a word, with a sign and a colour. */
export function State({ state, children }: { state: string; children: string }) {
  const tone = toneOf(state);
  return (
    <span class={`state ${tone}`}>
      <span aria-hidden="true">{SIGNS[tone]}</span> {children}
    </span>
  );
}
