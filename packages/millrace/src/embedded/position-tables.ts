import { Failure } from "../failure/failure.js";
import { PositionState } from "../store/position-state.js";
import {
  decodePosition,
  decodeSubscriptions,
  encodeRanges,
  encodeSubscriptions,
  type PositionRow,
} from "../store/rows.js";
import type { Leased, Registration } from "../store/store.js";
import type { Position, Progress } from "../store/unit.js";
import type { Leases } from "./leases.js";
import type { Database, Statement } from "./sqlite.js";

/** Registrations and positions. What the owner process leased, it keeps in memory too, and checks claims there. */
export class PositionTables {
  readonly #database: Database;
  readonly #update: Statement;
  readonly #byId = new Map<number, PositionState>();
  #touched: PositionState[] = [];

  constructor(database: Database) {
    this.#database = database;
    this.#update = database.prepare(
      "UPDATE mr_positions SET frontier = ?, finished = ? WHERE position = ? AND epoch = ?",
    );
  }

  /** The position, if `position` is still the lease in force. */
  leased(position: Position): PositionState | undefined {
    const state = this.#byId.get(position.id);
    return state !== undefined && state.position.epoch === position.epoch ? state : undefined;
  }

  finish(state: PositionState, start: number, end: number): void {
    if (state.finish(start, end)) this.#touched.push(state);
  }

  pass(progress: Progress): void {
    const state = this.leased(progress.position);
    if (state !== undefined) this.finish(state, progress.start, progress.end);
  }

  /**
   * Writes what the group has changed.
   *
   * @throws {Failure} FENCED when a row has another epoch than the lease, or is gone: nothing of the group is stored.
   */
  write(): void {
    for (const { position, frontier, ranges } of this.#touched) {
      const { changes } = this.#update.run(frontier, encodeRanges(ranges), position.id, position.epoch);
      if (Number(changes) !== 1)
        throw new Failure(
          "FENCED",
          `${position.consumer}: its position in ${position.topic}/${position.partition} was taken over or removed by another program; stop that one, and start this one again`,
        );
    }
  }

  keep(): void {
    for (const state of this.#touched) state.keep();
    this.#touched = [];
  }

  undo(): void {
    for (const state of this.#touched) state.undo();
    this.#touched = [];
  }

  registration(consumer: string): Registration | undefined {
    const row = this.#database.prepare("SELECT service, topics FROM mr_consumers WHERE consumer = ?").get(consumer) as
      | { service: string; topics: string }
      | undefined;
    if (row === undefined) return undefined;
    const positions = this.#rows(consumer);
    const topics = decodeSubscriptions(row.topics).map((topic) => ({
      ...topic,
      start: positions
        .filter(({ position }) => position.topic === topic.topic)
        .map(({ position }) => position.frontier),
    }));
    return { consumer, service: row.service, topics };
  }

  /** Runs inside a transaction: saves the registration and takes a member's share of the leases under a new epoch. */
  acquire(registration: Registration, taking: Taking, now: number): readonly Position[] {
    const { consumer, service, topics } = registration;
    this.#database
      .prepare(
        "INSERT INTO mr_consumers VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET service = excluded.service, topics = excluded.topics",
      )
      .run(consumer, service, encodeSubscriptions(topics), now);
    const insert = this.#database.prepare(
      `INSERT INTO mr_positions(consumer, topic, partition, owner, epoch, expires, generation, crashes, frontier, finished)
       VALUES (?, ?, ?, '', 0, 0, 1, 0, ?, '') ON CONFLICT DO NOTHING`,
    );
    for (const { topic, start } of topics)
      for (const [partition, offset] of start.entries()) insert.run(consumer, topic, partition, offset);
    taking.leases.join(taking.member, consumer);
    return this.#take(consumer, taking, (mine) => mine).held;
  }

  /**
   * Runs inside a transaction: takes what is free up to the member's share.
   *
   * @throws {Failure} POSITION_MISSING when the consumer is not registered.
   */
  renew(consumer: string, taking: Taking): Leased {
    return this.#take(consumer, taking, () => []);
  }

  /** Runs inside a transaction: gives leases back that are still the member's. Crashes not got over yet go with them. */
  release(positions: readonly Position[], member: string): void {
    const free = this.#database.prepare(
      "UPDATE mr_positions SET owner = '' WHERE position = ? AND epoch = ? AND owner = ?",
    );
    for (const { id, epoch } of positions) free.run(id, epoch, member);
  }

  /** Takes, of each topic, what is free up to the fair share, and `anew` what the member holds already. */
  #take(consumer: string, { member, leases }: Taking, anew: (mine: readonly Lease[]) => readonly Lease[]): Leased {
    const known = this.registration(consumer);
    if (known === undefined)
      throw new Failure("POSITION_MISSING", `${consumer} is not registered any more; restart to register it anew`);
    const take = this.#database.prepare(
      "UPDATE mr_positions SET epoch = epoch + 1, crashes = ?, owner = ? WHERE position = ?",
    );
    const held: Position[] = [];
    const surplus: Position[] = [];
    const rows = this.#rows(consumer);
    for (const { topic, types } of known.topics) {
      // Left, and remembered in case it is heard again.
      if (types.length === 0) continue;
      const of = rows.filter(({ position }) => position.topic === topic);
      const mine = of.filter(({ owner }) => owner === member);
      const free = of.filter(({ owner }) => owner !== member && (owner === "" || !leases.alive(owner)));
      const share = leases.share({ member, consumer, topic }, of.length);
      const taken = [...anew(mine), ...free.slice(0, Math.max(0, share - mine.length))];
      for (const lease of taken) take.run(crashesOf(lease, member), member, lease.position.id);
      const now = [...mine, ...free.filter((lease) => taken.includes(lease))].map((lease) =>
        taken.includes(lease)
          ? { ...lease.position, epoch: lease.position.epoch + 1, crashes: crashesOf(lease, member) }
          : lease.position,
      );
      held.push(...now);
      surplus.push(...now.slice(share));
    }
    return { held: held.sort(byPlace), surplus };
  }

  /** The leases are on disk: claims are checked against them from now on. */
  lease(positions: readonly Position[]): void {
    for (const position of positions)
      if (this.leased(position) === undefined) this.#byId.set(position.id, new PositionState(position));
  }

  /** Runs inside a transaction: frees all that a member holds. */
  releaseAll(member: string): void {
    this.#database.prepare("UPDATE mr_positions SET owner = '', crashes = 0 WHERE owner = ?").run(member);
  }

  /** The members that hold leases, as the file says. */
  holders(): readonly string[] {
    const rows = this.#database.prepare("SELECT DISTINCT owner FROM mr_positions WHERE owner <> ''").all();
    return (rows as { owner: string }[]).map(({ owner }) => owner);
  }

  /** What other processes hold under the owner before this one: their claims go on being good. */
  adopt(): void {
    const rows = this.#database.prepare("SELECT * FROM mr_positions WHERE owner <> ''").all() as PositionRow[];
    this.lease(rows.map(decodePosition));
  }

  /** Runs inside a transaction. */
  recovered(positions: readonly Position[]): void {
    const recovered = this.#database.prepare("UPDATE mr_positions SET crashes = 0 WHERE position = ? AND epoch = ?");
    for (const { id, epoch } of positions) recovered.run(id, epoch);
  }

  forget(consumer: string): void {
    for (const [id, state] of this.#byId) if (state.position.consumer === consumer) this.#byId.delete(id);
  }

  read(id: number): Position | undefined {
    const row = this.#database.prepare("SELECT * FROM mr_positions WHERE position = ?").get(id) as
      | PositionRow
      | undefined;
    return row === undefined ? undefined : decodePosition(row);
  }

  #rows(consumer: string): Lease[] {
    const rows = this.#database
      .prepare("SELECT * FROM mr_positions WHERE consumer = ? ORDER BY topic, partition")
      .all(consumer) as (PositionRow & { readonly owner: string })[];
    return rows.map((row) => ({ position: decodePosition(row), owner: row.owner }));
  }
}

/** Who takes leases, among whom. */
export interface Taking {
  readonly member: string;
  readonly leases: Leases;
}

/** A position, and the member that holds it; empty when nobody does. */
interface Lease {
  readonly position: Position;
  readonly owner: string;
}

/** A lease that was not given back by another has lost its holder. */
function crashesOf({ position, owner }: Lease, member: string): number {
  return position.crashes + (owner === "" || owner === member ? 0 : 1);
}

function byPlace(a: Position, b: Position): number {
  return a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1;
}
