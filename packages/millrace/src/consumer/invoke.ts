/** How a handler ended: what it returned, or what it threw. */
export type HandlerEnded = (value: unknown, error: unknown, failed: boolean) => void;

/**
 * Runs a handler and says, exactly once, how it ended. Whatever the handler does is its own failure: it throws, it
 * rejects, or it returns an object that throws when it is asked to be awaited.
 */
export function invoke(handle: () => unknown, ended: HandlerEnded): void {
  let result: unknown;
  try {
    result = handle();
    if (isThenable(result)) {
      // A native promise keeps to the rules of promises; anything else is only trusted through one.
      const promise = result instanceof Promise ? result : new Promise((resolve) => resolve(result));
      promise.then(
        (value) => ended(value, undefined, false),
        (error) => ended(undefined, error, true),
      );
      return;
    }
  } catch (error) {
    ended(undefined, error, true);
    return;
  }
  ended(result, undefined, false);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true;
  return typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function";
}
