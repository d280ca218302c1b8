import type { OpenLog } from "../engine/halves.js";
import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Store } from "../store/store.js";
import type { Claim, Position, Progress, Unit } from "../store/unit.js";

const noteMs = 5_000;

/**
 * Tells the log every few seconds how far consumers have come, so that its own tools can show it. Positions are read from
 * the store, those alone that commits of this process have moved.
 */
export class Courtesy {
  /** The store, through which this one sees which positions move. */
  readonly store: Store;
  readonly #parts: CourtesyParts;
  readonly #moved = new Set<number>();
  #cancel: Cancel = () => {};
  #closed = false;

  constructor(parts: CourtesyParts) {
    this.#parts = parts;
    this.store = watched(parts.store, (units, progress) => {
      for (const { claim } of units) this.#saw(claim);
      for (const { position } of progress) this.#moved.add(position.id);
    });
    this.#arm();
  }

  /** Tells what is left to tell. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#note();
  }

  #arm(): void {
    this.#cancel = this.#parts.clock.after(noteMs, () => {
      void this.#note().finally(() => {
        if (!this.#closed) this.#arm();
      });
    });
  }

  #saw(claim: Claim): void {
    if (claim.type === "record") this.#moved.add(claim.position.id);
    else if (claim.type === "records") for (const { position } of claim.parts) this.#moved.add(position.id);
  }

  async #note(): Promise<void> {
    const { store, log, logger } = this.#parts;
    const ids = [...this.#moved];
    this.#moved.clear();
    const byConsumer = new Map<string, Position[]>();
    try {
      for (const id of ids) {
        const position = await store.readPosition(id);
        if (position === undefined) continue;
        const known = byConsumer.get(position.consumer);
        if (known === undefined) byConsumer.set(position.consumer, [position]);
        else known.push(position);
      }
      for (const [consumer, positions] of byConsumer) log.note(consumer, positions);
    } catch (error) {
      // Nobody reads them back, and the next commit moves them again.
      logger.debug({ err: error }, "the log was not told how far consumers have come");
    }
  }
}

export interface CourtesyParts {
  readonly store: Store;
  readonly log: Pick<OpenLog, "note">;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Seen = (units: readonly Unit[], progress: readonly Progress[]) => void;

/** The same store, with an eye on its commits. */
function watched(store: Store, seen: Seen): Store {
  const commit: Store["commit"] = (units, progress) => {
    seen(units, progress);
    return store.commit(units, progress);
  };
  const bound = new Map<PropertyKey, unknown>([["commit", commit]]);
  return new Proxy(store, {
    get(target, name) {
      const known = bound.get(name);
      if (known !== undefined) return known;
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      const method: unknown = value.bind(target);
      bound.set(name, method);
      return method;
    },
  });
}
