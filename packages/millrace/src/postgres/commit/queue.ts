import { Failure } from "../../failure/failure.js";
import type { Outcome, Progress, Unit } from "../../store/unit.js";
import type { Place } from "../places.js";
import type { GroupCommit } from "./group-commit.js";

const unitsMax = 1_000;

interface Waiting {
  readonly units: readonly Unit[];
  readonly progress: readonly Progress[];
  settled(outcomes: readonly Outcome[]): void;
  refused(error: unknown): void;
}

/** What is to be committed for one service: one group is under way at a time, what comes meanwhile is the next. */
export class CommitQueue {
  readonly #place: Place;
  readonly #commit: GroupCommit;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(place: Place, commit: GroupCommit) {
    this.#place = place;
    this.#commit = commit;
  }

  /** @throws {Failure} when nothing of it was committed. */
  add(units: readonly Unit[], progress: readonly Progress[]): Promise<readonly Outcome[]> {
    if (this.#closed) return Promise.reject(new Failure("APP_STOPPED", "the store is closed"));
    return new Promise((settled, refused) => {
      this.#waiting.push({ units, progress, settled, refused });
      this.#running ??= this.#run();
    });
  }

  /** Resolves when what was asked for is done. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    for (let group = this.#take(); group.length > 0; group = this.#take()) await this.#group(group);
    this.#running = undefined;
  }

  #take(): readonly Waiting[] {
    let count = 0;
    let units = 0;
    for (const waiting of this.#waiting) {
      units += waiting.units.length;
      if (count > 0 && units > unitsMax) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #group(group: readonly Waiting[]): Promise<void> {
    const units = group.length === 1 ? (group[0] as Waiting).units : group.flatMap((one) => one.units);
    const progress = group.flatMap((one) => one.progress);
    try {
      const outcomes = await this.#commit.commit({ place: this.#place, units, progress, resent: false });
      let at = 0;
      for (const one of group) {
        one.settled(outcomes.slice(at, at + one.units.length));
        at += one.units.length;
      }
    } catch (error) {
      for (const one of group) one.refused(error);
    }
  }
}
