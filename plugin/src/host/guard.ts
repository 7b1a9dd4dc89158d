/**
 * Wraps what Node or OpenClaw calls: listeners, timers, hooks. What one of these throws, or rejects with, is an uncaught exception, and that ends
 * the gateway. `failed` is told of it instead, and has the last word: what it throws itself is dropped. The linter finds what is not wrapped
 * (plugin/guarded.grit).
 */
export function guarded<Args extends unknown[], Result>(
  act: (...args: Args) => Result,
  failed: (error: unknown) => void,
): (...args: Args) => Result | Promise<undefined> | undefined {
  const tell = (error: unknown): undefined => {
    try {
      failed(error);
    } catch {
      // Nobody is left to tell.
    }
  };
  return (...args) => {
    try {
      const result = act(...args);
      return result instanceof Promise ? result.catch(tell) : result;
    } catch (error) {
      return tell(error);
    }
  };
}
