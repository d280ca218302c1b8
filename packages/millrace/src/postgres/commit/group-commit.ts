import type { Outcome, Unit } from "../../store/unit.js";
import {
  isConnectionLost,
  isDataError,
  isLockConflict,
  isPartitionMissing,
  ownFailure,
  storeFailure,
} from "../errors.js";
import { CopiesFound } from "./apply/inbox.js";
import { UnitError } from "./apply/statements.js";
import type { Group } from "./group.js";
import { mayBeCommitted } from "./outcome.js";
import { forgetDays, prepareGroup } from "./prepare.js";
import { type CommitParts, type Done, LostReply, runTransaction } from "./transaction.js";

const attemptsMax = 8;
const againMs = { first: 5, max: 2_000 };

/**
 * Commits groups of one service, each in one transaction. What stands in the way is taken out and the rest runs again: nothing of
 * an attempt that failed is left.
 */
export class GroupCommit {
  readonly #parts: CommitParts;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /** @throws {Failure} when nothing of the group was committed; the same may be sent again. */
  async commit(group: Group): Promise<readonly Outcome[]> {
    const refused = new Map<number, Outcome>();
    const copies = new Set<string>();
    let { resent } = group;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await prepareGroup(this.#parts, group);
        return this.#told(group, await runTransaction(this.#parts, { ...group, resent }, { refused, copies }));
      } catch (error) {
        if (error instanceof CopiesFound) for (const key of error.keys) copies.add(key);
        else if (error instanceof UnitError) refused.set(error.unit, { type: "failed", error: error.failure });
        else if (error instanceof LostReply) {
          // After a crash of the server a transaction's number may have become another's: the claims have the last word.
          resent ||= await mayBeCommitted(error.lost, this.#parts);
          if (resent) this.#told(group, error.done);
        } else if (isPartitionMissing(error)) forgetDays(group.place);
        else if (isDataError(error)) return this.#halves(group, refused, error);
        else if (attempt >= attemptsMax || !(isLockConflict(error) || isConnectionLost(error))) throw ownFailure(error);
        else await this.#pause(Math.min(againMs.first * 2 ** attempt, againMs.max));
      }
    }
  }

  /** As {@link commit}, until it is done or the store is closed: for what belongs to something that is committed already. */
  async persist(group: Group): Promise<readonly Outcome[]> {
    for (let wait = againMs.first; ; wait = Math.min(wait * 2, againMs.max)) {
      try {
        return await this.commit(group);
      } catch (error) {
        const failure = ownFailure(error);
        if (failure.verdict !== "retry" || this.#parts.closed())
          return group.units.map(() => ({ type: "failed", error: failure }));
        this.#parts.logger.error({ code: failure.code, waitMs: wait }, failure.message);
        await this.#pause(wait);
      }
    }
  }

  #told({ place }: Group, { outcomes, news }: Done): readonly Outcome[] {
    if (news !== undefined) this.#parts.committed(place, news);
    return outcomes;
  }

  /** The data of one unit, or their sum, is more than PostgreSQL takes: each half is tried alone, in order. */
  async #halves(group: Group, refused: ReadonlyMap<number, Outcome>, error: unknown): Promise<readonly Outcome[]> {
    const { units } = group;
    const open = units.flatMap((_, index) => (refused.has(index) ? [] : [index]));
    const outcomes = units.map((_, index) => refused.get(index)) as Outcome[];
    if (open.length < 2) {
      const [index] = open;
      if (index === undefined) throw ownFailure(error);
      outcomes[index] = { type: "failed", error: storeFailure(error) };
      // What passed by unsubscribed goes with the next group: nothing was noted.
      return outcomes;
    }
    const middle = Math.ceil(open.length / 2);
    const parts = [open.slice(0, middle), open.slice(middle)];
    for (const [n, part] of parts.entries()) {
      const half = {
        ...group,
        units: part.map((index) => units[index] as Unit),
        progress: n === 0 ? group.progress : [],
      };
      const of = n === 0 ? await this.commit(half) : await this.persist(half);
      for (const [at, index] of part.entries()) outcomes[index] = of[at] as Outcome;
    }
    return outcomes;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.clock.after(ms, resolve));
  }
}
