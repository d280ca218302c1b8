import { amendedAs } from "../store/builds.js";
import { mayBeAmended, ranBefore } from "../store/dead-letter.js";
import { decodeEntry, type EntryRow, encodeRecord } from "../store/rows.js";
import type { LaneHead } from "../store/store.js";
import type { EntryChange, LaneEntry, NewEntry } from "../store/unit.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";

/** Lane entries. How many hold each lane is kept in memory, so that a unit of a free lane costs no query. */
export class LaneTables {
  readonly #database: Database;
  readonly #held = new Map<string, Map<string, number>>();
  readonly #insert: Statement;
  readonly #head: Statement;
  readonly #holding: Statement;
  #undo: (() => void)[] = [];
  /** Lanes whose entries the group under way has changed. */
  #changed: { readonly consumer: string; readonly lane: string }[] = [];

  constructor(database: Database) {
    this.#database = database;
    this.#insert = database.prepare(
      `INSERT INTO mr_lane_entries(consumer, lane, home, state, holds, attempt, due, redrives, since, failure, fingerprint,
         topic, partition, offset, record) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#head = prepareRows(
      database,
      "SELECT entry, state, due, holds FROM mr_lane_entries WHERE consumer = ? AND lane = ? ORDER BY holds DESC, entry LIMIT 1",
    );
    this.#holding = database.prepare(
      "SELECT count(*) AS n FROM mr_lane_entries WHERE consumer = ? AND lane = ? AND holds = 1",
    );
    this.reload();
  }

  /** Counts all held lanes anew: a scan of the entries. */
  reload(): void {
    this.#held.clear();
    const rows = this.#database
      .prepare("SELECT consumer, lane, count(*) AS n FROM mr_lane_entries WHERE holds = 1 GROUP BY consumer, lane")
      .all() as { consumer: string; lane: string; n: number }[];
    for (const { consumer, lane, n } of rows) this.#count(consumer, lane, n);
  }

  /** Counts these lanes anew, after something other than a unit changed their entries. */
  recount(lanes: readonly { readonly consumer: string; readonly lane: string }[]): void {
    for (const { consumer, lane } of lanes) {
      const { n } = this.#holding.get(consumer, lane) as { n: number };
      const before = this.#held.get(consumer)?.get(lane) ?? 0;
      if (n !== before) this.#count(consumer, lane, n - before);
    }
  }

  isHeld(consumer: string, lane: string): boolean {
    return this.#held.get(consumer)?.has(lane) ?? false;
  }

  /** Whether the entry can be run, and has come to just this attempt. */
  isAt(entry: number, { attempt, redrives }: { readonly attempt: number; readonly redrives: number }): boolean {
    const sql =
      "SELECT 1 FROM mr_lane_entries WHERE entry = ? AND attempt = ? AND redrives = ? AND state IN ('parked', 'running')";
    return this.#database.prepare(sql).get(entry, attempt, redrives) !== undefined;
  }

  /** An operator has amended its event for another build of its view, since it ran. */
  isOutdated(entry: NewEntry): boolean {
    if (!mayBeAmended(entry)) return false;
    const { topic, partition, offset } = entry.record;
    const sql = "SELECT id FROM mr_amendments WHERE consumer = ? AND topic = ? AND partition = ? AND offset = ?";
    const found = this.#database.prepare(sql).get(amendedAs(entry.consumer), topic, partition, offset);
    return found !== undefined && ranBefore({ id: (found as { id: string | null }).id ?? undefined }, entry);
  }

  insert(entry: NewEntry, now: number): number {
    // The lane may have been freed since the follower was sent: then it is the head, and runs at once.
    const freed = entry.state === "following" && !this.isHeld(entry.consumer, entry.lane);
    const { record, consumer, lane } = entry;
    this.#changed.push({ consumer, lane });
    const { lastInsertRowid } = this.#insert.run(
      entry.consumer,
      entry.lane,
      entry.home,
      freed ? "parked" : entry.state,
      entry.holds ? 1 : 0,
      entry.attempt,
      freed ? now : entry.due,
      entry.redrives,
      entry.since,
      entry.failure === undefined ? null : JSON.stringify(entry.failure),
      entry.failure?.fingerprint ?? null,
      record.topic,
      record.partition,
      record.offset,
      encodeRecord(record),
    );
    if (entry.holds) this.#change(entry.consumer, entry.lane, 1);
    return Number(lastInsertRowid);
  }

  /** Changes the entry that a unit ran, or removes it when it succeeded; then its lane's next one may be the head. */
  advance(id: number, change: EntryChange | undefined, now: number): void {
    const entry = this.entry(id) as LaneEntry;
    this.#changed.push({ consumer: entry.consumer, lane: entry.lane });
    if (change === undefined) this.#database.prepare("DELETE FROM mr_lane_entries WHERE entry = ?").run(id);
    else
      this.#database
        .prepare(
          "UPDATE mr_lane_entries SET state = ?, holds = ?, attempt = ?, due = ?, failure = ?, fingerprint = ? WHERE entry = ?",
        )
        .run(
          change.state,
          change.holds ? 1 : 0,
          change.attempt,
          change.due,
          change.failure === undefined ? null : JSON.stringify(change.failure),
          change.failure?.fingerprint ?? null,
          id,
        );
    if (change?.holds === true) return;
    if (entry.holds) this.#change(entry.consumer, entry.lane, -1);
    this.#database
      .prepare(
        `UPDATE mr_lane_entries SET state = 'parked', due = ? WHERE state = 'following' AND entry =
           (SELECT min(entry) FROM mr_lane_entries WHERE consumer = ? AND lane = ? AND holds = 1)`,
      )
      .run(now, entry.consumer, entry.lane);
  }

  entry(id: number): LaneEntry | undefined {
    const row = this.#database.prepare("SELECT * FROM mr_lane_entries WHERE entry = ?").get(id) as EntryRow | undefined;
    return row === undefined ? undefined : decodeEntry(row);
  }

  heads(consumer: string): LaneHead[] {
    const rows = this.#database
      .prepare(
        `SELECT lane, min(entry) AS entry, state, due, holds FROM mr_lane_entries
         WHERE consumer = ? AND holds = 1 GROUP BY lane ORDER BY entry`,
      )
      .all(consumer) as { lane: string; entry: number; state: LaneHead["state"]; due: number }[];
    return rows.map((row) => ({ ...row, holds: true }));
  }

  head(consumer: string, lane: string): LaneHead | undefined {
    const row = this.#head.get(consumer, lane) as [number, LaneHead["state"], number, number] | undefined;
    return row === undefined ? undefined : { lane, entry: row[0], state: row[1], due: row[2], holds: row[3] === 1 };
  }

  /** The group is on disk. Returns the lanes whose entries it changed. */
  keep(): readonly { readonly consumer: string; readonly lane: string }[] {
    if (this.#undo.length > 0) this.#undo = [];
    if (this.#changed.length === 0) return unchanged;
    const changed = this.#changed;
    this.#changed = [];
    return changed;
  }

  undo(): void {
    for (const back of this.#undo.reverse()) back();
    this.#undo = [];
    this.#changed = [];
  }

  #change(consumer: string, lane: string, by: number): void {
    this.#count(consumer, lane, by);
    this.#undo.push(() => this.#count(consumer, lane, -by));
  }

  #count(consumer: string, lane: string, by: number): void {
    let lanes = this.#held.get(consumer);
    if (lanes === undefined) {
      lanes = new Map();
      this.#held.set(consumer, lanes);
    }
    const count = (lanes.get(lane) ?? 0) + by;
    if (count === 0) lanes.delete(lane);
    else lanes.set(lane, count);
  }
}

const unchanged: readonly never[] = [];
