import { type Failure, isFailure } from "../failure/failure.js";
import type { Outcome, Progress, Unit } from "../store/unit.js";
import { GroupCommit } from "./commit/group-commit.js";
import { CommitQueue } from "./commit/queue.js";
import type { CommitParts } from "./commit/transaction.js";
import { ownFailure } from "./errors.js";
import type { Place } from "./places.js";
import { Router } from "./router.js";

/** What of one commit belongs to one service. */
interface Share {
  readonly place: Place;
  readonly units: Unit[];
  /** Where each unit stands in the whole. */
  readonly indexes: number[];
  readonly progress: Progress[];
}

/** Commits what a process asks for: each service's in transactions of its own, side by side. */
export class Commits {
  readonly #commit: GroupCommit;
  readonly #router: Router;
  readonly #queues = new Map<Place, CommitQueue>();
  #sharing: Promise<unknown> = Promise.resolve();

  constructor(parts: CommitParts) {
    this.#commit = new GroupCommit(parts);
    this.#router = new Router(parts.places, parts.topics);
  }

  /** @throws {Failure} when nothing was committed. */
  async commit(units: readonly Unit[], progress: readonly Progress[]): Promise<readonly Outcome[]> {
    // In the order in which they came, whatever has to be looked up for the first of them.
    const sharing = this.#sharing.then(() => this.#shares(units, progress));
    this.#sharing = sharing.catch(() => {});
    const shares = await sharing;
    const [first] = shares;
    if (first === undefined) return [];
    if (shares.length === 1) return this.#queue(first.place).add(first.units, first.progress);
    return this.#together(shares, units.length);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
  }

  /** What one service has committed cannot be sent again with what others have not: those go on until they have. */
  async #together(shares: readonly Share[], count: number): Promise<readonly Outcome[]> {
    const outcomes = new Array<Outcome>(count);
    const settled = await Promise.allSettled(
      shares.map((share) => this.#queue(share.place).add(share.units, share.progress)),
    );
    const failed: { readonly share: Share; readonly failure: Failure }[] = [];
    for (const [n, result] of settled.entries()) {
      const share = shares[n] as Share;
      if (result.status === "fulfilled") spread(outcomes, share, result.value);
      else failed.push({ share, failure: ownFailure(result.reason) });
    }
    if (failed.length === shares.length) throw (failed[0] as (typeof failed)[number]).failure;
    await Promise.all(
      failed.map(async ({ share, failure }) => {
        const { place, units, progress } = share;
        const again = failure.verdict === "retry";
        const of = again
          ? await this.#commit.persist({ place, units, progress, resent: false })
          : units.map((): Outcome => ({ type: "failed", error: failure }));
        spread(outcomes, share, of);
      }),
    );
    return outcomes;
  }

  async #shares(units: readonly Unit[], progress: readonly Progress[]): Promise<readonly Share[]> {
    const shares = new Map<Place, Share>();
    const of = (place: Place) => {
      let share = shares.get(place);
      if (share === undefined) {
        share = { place, units: [], indexes: [], progress: [] };
        shares.set(place, share);
      }
      return share;
    };
    for (const [index, unit] of units.entries()) {
      const share = of(await this.#placeOf(unit));
      share.units.push(unit);
      share.indexes.push(index);
    }
    for (const passed of progress) {
      const place = await this.#router.numbered(passed.position.id);
      if (place !== undefined) of(place).progress.push(passed);
    }
    return [...shares.values()];
  }

  async #placeOf(unit: Unit): Promise<Place> {
    try {
      return await this.#router.placeOf(unit);
    } catch (error) {
      throw isFailure(error) ? error : ownFailure(error);
    }
  }

  #queue(place: Place): CommitQueue {
    let queue = this.#queues.get(place);
    if (queue === undefined) {
      queue = new CommitQueue(place, this.#commit);
      this.#queues.set(place, queue);
    }
    return queue;
  }
}

function spread(outcomes: Outcome[], { indexes }: Share, of: readonly Outcome[]): void {
  for (const [at, index] of indexes.entries()) outcomes[index] = of[at] as Outcome;
}
