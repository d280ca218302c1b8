import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import type { Inbox } from "../store/store.js";

/** How an engine elsewhere behaves. */
export interface Remote {
  readonly inbox?: Inbox;
  /** Before each answer of the store, by the name of the call: may throw, or keep it waiting. */
  readonly before?: (call: string) => void | Promise<void>;
}

/** For tests: an engine in memory whose log and store answer later, as those of other machines do. */
export function remote({ inbox = { windowMs: 30 * 86_400_000 }, before = () => {} }: Remote = {}): Engine {
  const engine = embedded(":memory:");
  return {
    ...engine,
    async open(context) {
      const open = await engine.open(context);
      const store = later(open.store, (name) => (name === "inbox" ? inbox : undefined), before);
      const log = later(open.log, () => undefined);
      return new Proxy(open, {
        get(target, name) {
          if (name === "store") return store;
          if (name === "log") return log;
          const value = Reflect.get(target, name) as unknown;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}

function later<Of extends object>(
  of: Of,
  own: (name: PropertyKey) => unknown,
  before: (call: string) => void | Promise<void> = () => {},
): Of {
  return new Proxy(of, {
    get(target, name) {
      const mine = own(name);
      if (mine !== undefined) return mine;
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== "function") return value;
      return async (...args: unknown[]) => {
        await new Promise(setImmediate);
        await before(String(name));
        return value.apply(target, args);
      };
    },
  });
}
