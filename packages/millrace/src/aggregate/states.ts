import type { Store } from "../store/store.js";
import type { AggregateDefinition } from "./definition.js";
import type { Folded } from "./fold.js";

/** Characters of JSON of all states that a store's aggregates keep in memory, in each of two generations. */
const charactersMax = 12 * 1024 * 1024;
/** What a state takes that JSON does not show. */
const charactersEach = 200;
/** How often a state is measured that is used again and again. */
const measureEvery = 64;

/** A state in memory. `sure`: when it was last used, it was the stream's newest. */
export interface KeptState extends Folded {
  sure: boolean;
  readonly characters: number;
}

/**
 * States that were folded lately, of the aggregates of one store, in two generations: what is not used while one fills is
 * dropped with the other. A state is exact as of its version; whether it is the newest, the commit checks.
 */
export class States {
  #young = new Map<string, KeptState>();
  #old = new Map<string, KeptState>();
  #characters = 0;

  /** Those of a store: apps, and tests, may run side by side in one process. */
  static of(store: Store): States {
    let states = ofStores.get(store);
    if (states === undefined) {
      states = new States();
      ofStores.set(store, states);
    }
    return states;
  }

  get(name: string): KeptState | undefined {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    const old = this.#old.get(name);
    if (old !== undefined) this.#put(name, old);
    return old;
  }

  keep(name: string, { state, version }: Folded, sure: boolean): void {
    const before = this.get(name);
    const characters =
      before === undefined || Math.floor(before.version / measureEvery) !== Math.floor(version / measureEvery)
        ? charactersOf(state)
        : before.characters;
    this.#put(name, { state, version, sure, characters });
  }

  #put(name: string, kept: KeptState): void {
    this.#characters += kept.characters - (this.#young.get(name)?.characters ?? 0);
    this.#young.set(name, kept);
    if (this.#characters <= charactersMax) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#characters = 0;
  }
}

const ofStores = new WeakMap<Store, States>();

/** Under what a state is kept: two programs of one aggregate fold differently. */
export function stateName({ name, version }: AggregateDefinition, key: string): string {
  return `${name}/${version}/${key}`;
}

function charactersOf(state: unknown): number {
  try {
    return charactersEach + (JSON.stringify(state)?.length ?? 0);
  } catch {
    // A state that JSON cannot hold is of unknown size.
    return 10 * charactersEach;
  }
}
