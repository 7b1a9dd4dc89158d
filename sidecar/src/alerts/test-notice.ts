import type { Attempt, Notice } from "./notice.ts";

/** How long one way may take in a test, ms: less than whoever asks for it waits. */
const TEST_MS = 10_000;

/** What came of a test of one way. */
export interface Tested {
  readonly channel: string;
  readonly ok: boolean;
  /** Why not; null where it worked. */
  readonly reason: string | null;
}

/** Says that it is a test. `at`: wall-clock ms. */
export function testNotice(at: number): Notice {
  return {
    ...{ id: `test-${at}`, kind: "test", state: "test", severity: "info", title: "A test of the alerts" },
    ...{ text: "This is a test of the alerts. Nothing is wrong.", since: new Date(at).toISOString(), details: {} },
  };
}

/** What comes of one way to the operator. */
export async function tested(channel: string, attempt: (signal: AbortSignal) => Promise<Attempt>): Promise<Tested> {
  const end = await attempt(AbortSignal.timeout(TEST_MS));
  return { channel, ok: end.ok, reason: end.ok ? null : end.why };
}
