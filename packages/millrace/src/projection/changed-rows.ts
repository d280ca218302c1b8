import { Failure } from "../failure/failure.js";
import { type Build, buildConsumer, buildLabel } from "../store/builds.js";
import type { Store } from "../store/store.js";

const commitsAtOnce = 10_000;

/** Tells which rows of a build commits have changed since it was last asked: of each commit once, as soon as it can be seen. */
export class ChangedRows {
  readonly #store: Store;
  readonly #build: Build;
  /** Every commit up to this one is known. */
  #last = 0;
  /** Commits after it that are known. */
  #known: ReadonlySet<number> = new Set();

  private constructor(store: Store, build: Build) {
    this.#store = store;
    this.#build = build;
  }

  static async fromNow(store: Store, build: Build): Promise<ChangedRows> {
    const changed = new ChangedRows(store, build);
    const { last, knownAfter } = await changed.#read({ after: 0, limit: 0 });
    changed.#last = Math.max(last, knownAfter);
    await changed.next();
    return changed;
  }

  /**
   * The rows of the commits since.
   *
   * @throws {Failure} CONFLICT when more commits were made than the store remembers.
   */
  async next(): Promise<readonly string[]> {
    const rows: string[] = [];
    const known = new Set<number>();
    let [after, last] = [this.#last, this.#last];
    for (;;) {
      const page = await this.#read({ after, limit: commitsAtOnce });
      if (page.knownAfter > this.#last)
        throw new Failure(
          "CONFLICT",
          `${buildConsumer(this.#build)} changes faster than it is verified; pause it, or try again`,
        );
      // What the first page may have missed is before its last commit: later pages may miss more.
      if (after === this.#last) last = Math.max(last, page.last);
      for (const { commit, ids } of page.commits) {
        if (!this.#known.has(commit)) rows.push(...ids);
        if (commit > last) known.add(commit);
      }
      const end = page.commits.at(-1);
      if (end === undefined || page.commits.length < commitsAtOnce) break;
      after = end.commit;
    }
    this.#last = last;
    this.#known = known;
    return rows;
  }

  #read(part: { readonly after: number; readonly limit: number }) {
    return this.#store.readChanges({
      ...{ service: this.#build.service, type: buildLabel(this.#build), ahead: true },
      ...part,
    });
  }
}
