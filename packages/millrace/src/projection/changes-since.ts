import type { Changes } from "../store/document-query.js";
import type { Store } from "../store/store.js";

/** Whose changes are told. */
export interface ChangesOf {
  readonly store: Store;
  readonly service: string;
  readonly type: string;
}

/** Commits that were not told before, by their numbers. */
export interface Told {
  readonly commits: Changes["commits"];
  /** There may be more at this moment. */
  readonly more: boolean;
}

/** Tells the commits that have changed documents of a type, each once, as soon as it can be seen. */
export class ChangesSince {
  readonly #of: ChangesOf;
  #last: number;
  /** What the store had forgotten up to this one is not missed, though commits before it may still be under way. */
  readonly #forgotten: number;
  /** Commits after the last that were told, though one with a lower number may follow. */
  readonly #ahead = new Set<number>();

  constructor(of: ChangesOf, last: number, forgotten = last) {
    this.#of = of;
    this.#last = last;
    this.#forgotten = forgotten;
  }

  /** Those that come from now on. */
  static async now(of: ChangesOf): Promise<ChangesSince> {
    const { last, knownAfter } = await readChanges(of, { after: 0, limit: 0 });
    const since = new ChangesSince(of, last, knownAfter);
    while ((await since.next())?.more === true);
    return since;
  }

  /** Every commit up to this one was told: who goes on behind it misses none, and may hear of some again. */
  get last(): number {
    return this.#last;
  }

  /** How many commits are read again by the next look, as one that is older may still be under way. */
  get ahead(): number {
    return this.#ahead.size;
  }

  /** Undefined when there were more than the store remembers. */
  async next(limit = 1_000): Promise<Told | undefined> {
    let after = this.#last;
    let last: number | undefined;
    for (;;) {
      const page = await readChanges(this.#of, { after, limit });
      if (page.knownAfter > Math.max(this.#last, this.#forgotten)) return undefined;
      // No commit up to here can come after the first page was read.
      last ??= page.last;
      const commits = page.commits.filter(({ commit }) => !this.#ahead.has(commit));
      const more = page.commits.length === limit;
      after = page.commits.at(-1)?.commit ?? after;
      if (commits.length === 0 && more) continue;
      for (const { commit } of commits) this.#ahead.add(commit);
      this.#last = Math.max(this.#last, more ? Math.min(last, after) : last);
      for (const commit of this.#ahead) if (commit <= this.#last) this.#ahead.delete(commit);
      return { commits, more };
    }
  }
}

function readChanges({ store, service, type }: ChangesOf, part: { readonly after: number; readonly limit: number }) {
  return store.readChanges({ service, type, ...part });
}
