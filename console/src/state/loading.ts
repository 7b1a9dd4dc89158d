import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError } from "../api/client.ts";
import { changes } from "./live.ts";
import { expire } from "./session.ts";

export interface Loaded<Answer> {
  /** The last one that came; what can't be loaded anew stays. */
  data: Answer | undefined;
  /** Why there is none, or no newer one. */
  error: string | undefined;
  reload(): void;
}

/** Loads when `key` changes, and again when something has happened unless `isStill`. */
export function useLoad<Answer>(key: string, load: () => Promise<Answer>, isStill = false): Loaded<Answer> {
  const [state, setState] = useState<{ key: string; data?: Answer; error?: string }>({ key });
  const [asked, setAsked] = useState(0);
  const latest = useRef(load);
  latest.current = load;
  const beat = isStill ? 0 : changes.value;
  useEffect(() => {
    let isCurrent = true;
    latest.current().then(
      (data) => isCurrent && setState({ key, data }),
      (error: unknown) => {
        if (!isCurrent) return;
        if (error instanceof ApiError && error.status === 401) return expire();
        // While nothing can be reached the banner says so.
        const said = error instanceof ApiError && error.status === 0 ? {} : { error: String((error as Error).message) };
        setState((before) => ({ ...(before.key === key ? before : { key }), ...said }));
      },
    );
    return () => {
      isCurrent = false;
    };
  }, [key, asked, beat]);
  const reload = useCallback(() => setAsked((before) => before + 1), []);
  const isOfKey = state.key === key;
  return { data: isOfKey ? state.data : undefined, error: isOfKey ? state.error : undefined, reload };
}
