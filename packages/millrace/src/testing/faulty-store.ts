import type { Engine, OpenEngine } from "../engine/engine.js";
import type { Store } from "../store/store.js";
import type { Outcome, Progress, Unit } from "../store/unit.js";

/** What may happen around a commit; by default nothing. */
export interface Faults {
  /** Before anything is stored: may throw. */
  before?(units: readonly Unit[], progress: readonly Progress[]): void;
  /** After all is stored, in place of the answer: may throw, which loses it. */
  after?(units: readonly Unit[], outcomes: readonly Outcome[]): void;
}

/** For tests: an engine whose commits meet faults, and behave in every other way as they are. */
export function faulty(engine: Engine, faults: Faults): Engine {
  return {
    name: engine.name,
    dir: engine.dir,
    async open(context) {
      const open = await engine.open(context);
      return around(open, faultyStore(open.store, faults));
    },
  };
}

function around(open: OpenEngine, store: Store): OpenEngine {
  return {
    log: open.log,
    store,
    inspect: open.inspect,
    operate: open.operate,
    ...(open.relayed === undefined ? {} : { relayed: () => open.relayed?.() ?? Promise.resolve() }),
    onAppended: (heard) => open.onAppended(heard),
    onHandled: (heard) => open.onHandled(heard),
    onChanged: (heard) => open.onChanged(heard),
    backup: (file) => open.backup(file),
    close: () => open.close(),
  };
}

function faultyStore(store: Store, faults: Faults): Store {
  const commit = async (units: readonly Unit[], progress: readonly Progress[]): Promise<readonly Outcome[]> => {
    faults.before?.(units, progress);
    const outcomes = await store.commit(units, progress);
    faults.after?.(units, outcomes);
    return outcomes;
  };
  return new Proxy(store, {
    get(target, name) {
      if (name === "commit") return commit;
      const value = Reflect.get(target, name) as unknown;
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** For tests: an engine whose store answers some calls in its own way. */
export function meddled(engine: Engine, meddle: (store: Store) => Partial<Store>): Engine {
  return {
    ...engine,
    async open(context) {
      const open = await engine.open(context);
      const own = meddle(open.store);
      const store = new Proxy(open.store, {
        get(target, name) {
          const value = (Reflect.get(own, name) ?? Reflect.get(target, name)) as unknown;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
      return new Proxy(open, {
        get(target, name) {
          if (name === "store") return store;
          const value = Reflect.get(target, name) as unknown;
          return typeof value === "function" ? value.bind(target) : value;
        },
      });
    },
  };
}
