import { Failure } from "../failure/failure.js";
import type { Registration } from "../store/store.js";
import type { Position, Progress } from "../store/unit.js";
import { PositionState } from "./positions.js";
import { decodePosition, decodeSubscriptions, encodeRanges, encodeSubscriptions, type PositionRow } from "./rows.js";
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
      start: positions.filter((position) => position.topic === topic.topic).map((position) => position.frontier),
    }));
    return { consumer, service: row.service, topics };
  }

  /** Runs inside a transaction: saves the registration and takes every lease under a new epoch. */
  acquire(registration: Registration, now: number): Position[] {
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
    this.#database
      .prepare(
        "UPDATE mr_positions SET epoch = epoch + 1, crashes = crashes + (owner <> ''), owner = ? WHERE consumer = ?",
      )
      .run(String(process.pid), consumer);
    const heard = new Set(topics.map(({ topic }) => topic));
    return this.#rows(consumer).filter((position) => heard.has(position.topic));
  }

  /** The leases are on disk: claims are checked against them from now on. */
  lease(positions: readonly Position[]): void {
    for (const position of positions) this.#byId.set(position.id, new PositionState(position));
  }

  /** Runs inside a transaction: the holder ends in order, so that whoever is next takes over from nobody. */
  release(positions: readonly Position[]): void {
    const release = this.#database.prepare(
      "UPDATE mr_positions SET owner = '', crashes = 0 WHERE position = ? AND epoch = ?",
    );
    for (const { id, epoch } of positions) release.run(id, epoch);
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

  #rows(consumer: string): Position[] {
    const rows = this.#database
      .prepare("SELECT * FROM mr_positions WHERE consumer = ? ORDER BY topic, partition")
      .all(consumer) as PositionRow[];
    return rows.map(decodePosition);
  }
}
