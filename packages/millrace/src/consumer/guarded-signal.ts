type Hear = (event: Event) => unknown;
type Listener = Hear | { handleEvent: Hear } | null | undefined;
type Options = Parameters<AbortSignal["addEventListener"]>[2];

/**
 * Lets nothing that a listener throws, or rejects with, past a signal of ours: Node throws it again where nobody can catch
 * it, and the process ends. Signals that users make from it, with `AbortSignal.any` for instance, are theirs.
 */
export function guardSignal(signal: AbortSignal, failed: (error: unknown) => void): void {
  const guards = new WeakMap<object, Hear>();
  const guarded = (listener: Listener): Hear => {
    // Node knows what to make of it.
    if (typeof listener !== "function" && typeof listener?.handleEvent !== "function") return listener as never;
    let guard = guards.get(listener);
    if (guard === undefined) {
      guard = (event) => {
        try {
          const result: unknown =
            typeof listener === "function" ? listener.call(signal, event) : listener.handleEvent(event);
          if (result instanceof Promise) result.catch(failed);
        } catch (error) {
          failed(error);
        }
      };
      guards.set(listener, guard);
    }
    return guard;
  };
  const { addEventListener, removeEventListener } = signal;
  let onabort: Hear | null = null;
  Object.defineProperties(signal, {
    addEventListener: {
      value: (type: string, listener: Listener, options?: Options) =>
        addEventListener.call(signal, type, guarded(listener), options),
    },
    removeEventListener: {
      value: (type: string, listener: Listener, options?: Options) =>
        removeEventListener.call(signal, type, guarded(listener), options),
    },
    onabort: {
      get: () => onabort,
      set: (listener: Hear | null) => {
        if (onabort !== null) signal.removeEventListener("abort", onabort);
        onabort = typeof listener === "function" ? listener : null;
        if (onabort !== null) signal.addEventListener("abort", onabort);
      },
    },
  });
}
