import { mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encodeBlock, encodeLine, sumOf } from "../log/block.js";
import type { NewRecord } from "../log/log.js";
import { encodeRanges, encodeRecord } from "../store/rows.js";
import type { EntryFailure, EntryState, Range } from "../store/unit.js";
import { readTopics, recordsOf, type TopicHistory } from "./history.js";
import { first, run } from "./query.js";
import { applicationId, formatVersion, schema } from "./schema.js";
import { type Database, openDatabase } from "./sqlite.js";
import { traceBucket } from "./trace.js";

/** What a record of a test says; the rest is filled in. */
export type Draft = Partial<Omit<NewRecord, "topic" | "offset">>;

/** A lane entry of a test, for a record that is in the log. */
export interface EntryDraft {
  readonly consumer: string;
  readonly topic: string;
  readonly offset: number;
  readonly state: EntryState;
  readonly lane?: string;
  readonly holds?: boolean;
  readonly since?: number;
  readonly failure?: EntryFailure;
}

/** The id of the nth record made at a time: a UUIDv7 whose tail is readable. */
export function idAt(timeMs: number, n: number): string {
  const time = timeMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

/** For the tests of this folder: an engine's file in a folder of its own, filled through the schema, without an engine. */
export class Scratch {
  dir = mkdtempSync(join(tmpdir(), "millrace-embedded-"));
  file = join(this.dir, "millrace.db");
  readonly database: Database = openDatabase(this.file);
  #made = 0;

  constructor() {
    this.database.exec(schema);
    this.database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${formatVersion}`);
    this.database.exec("INSERT INTO mr_engine VALUES (1, 1, 0, 0)");
  }

  remove(): void {
    if (this.database.isOpen) this.database.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  /**
   * Leaves the file as a process does that ended in order. The package's `close` keeps it open until garbage is collected,
   * and then removes the write-ahead log of that name, which may be another process's by then: so the folder moves.
   */
  end(): void {
    this.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    this.database.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(`${this.file}${suffix}`, { force: true });
    const ended = `${this.dir}-ended`;
    renameSync(this.dir, ended);
    this.dir = ended;
    this.file = join(ended, "millrace.db");
  }

  transact = <T>(work: () => T): T => {
    this.database.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.database.exec("COMMIT");
      return result;
    } catch (error) {
      this.database.exec("ROLLBACK");
      throw error;
    }
  };

  addTopic(name: string, { partitions = 1, retentionMs = undefined as number | undefined } = {}): void {
    const sql =
      "INSERT INTO mr_topics(name, partitions, owner, key, retention_ms, incarnation) VALUES (?, ?, 'shop', 'id', ?, 'one')";
    run(this.database, sql, name, partitions, retentionMs ?? null);
  }

  topic(name: string): TopicHistory {
    const topic = readTopics(this.database).find(({ shape }) => shape.name === name);
    if (topic === undefined) throw new Error(`the test made no topic ${name}`);
    return topic;
  }

  /** One block, as one commit appends it. Returns its records. */
  append(name: string, appended: number, ...drafts: Draft[]) {
    const topic = this.topic(name);
    const records = drafts.map((draft) => this.#record(name, appended, draft));
    const body = encodeBlock(records.map(encodeLine));
    this.transact(() => {
      const pos = topic.base + topic.end;
      const count = records.length;
      const sum = sumOf({ count, appended, body });
      run(this.database, "INSERT INTO mr_log VALUES (?, ?, ?, ?, ?)", pos, count, appended, body, sum);
      for (const bucket of new Set(records.map(({ id, time }) => traceBucket(id, time))))
        run(this.database, "INSERT INTO mr_trace VALUES (?, ?)", bucket, pos);
      const identity = this.database.prepare("INSERT INTO mr_identities VALUES (?, ?, ?, ?, '')");
      for (const [index, { named, source, id }] of records.entries())
        if (named) identity.run(source, id, topic.id, topic.end + index);
    });
    return recordsOf(topic, { start: topic.end, end: topic.end + records.length, appended }, body);
  }

  #record(topic: string, appended: number, draft: Draft): Omit<NewRecord, "offset"> {
    this.#made += 1;
    return {
      topic,
      partition: 0,
      id: idAt(appended, this.#made),
      source: "shop",
      type: "order.placed",
      version: 1,
      key: "k",
      time: appended,
      correlationId: undefined,
      causationId: undefined,
      hops: 0,
      headers: undefined,
      data: "{}",
      named: false,
      ...draft,
    };
  }

  register(consumer: string, ...topics: { readonly topic: string; readonly types: readonly string[] }[]): void {
    const heard = topics.map((one) => ({ ...one, incarnation: "one" }));
    run(this.database, "INSERT INTO mr_consumers VALUES (?, 'shop', ?, 0)", consumer, JSON.stringify(heard));
    for (const { topic } of topics)
      for (let partition = 0; partition < this.topic(topic).shape.partitions; partition += 1)
        run(
          this.database,
          `INSERT INTO mr_positions(consumer, topic, partition, owner, epoch, expires, generation, crashes, frontier, finished)
           VALUES (?, ?, ?, '', 1, 0, 1, 0, 0, '')`,
          consumer,
          topic,
          partition,
        );
  }

  /** Moves a consumer's position in a topic's partition 0, or another. */
  move(
    consumer: string,
    topic: string,
    frontier: number,
    options: { partition?: number; finished?: Range[] } = {},
  ): void {
    const { partition = 0, finished = [] } = options;
    const sql = "UPDATE mr_positions SET frontier = ?, finished = ? WHERE consumer = ? AND topic = ? AND partition = ?";
    run(this.database, sql, frontier, encodeRanges(finished), consumer, topic, partition);
  }

  addEntry(draft: EntryDraft): number {
    const topic = this.topic(draft.topic);
    const row = first<{ pos: number; count: number; appended: number; body: string }>(
      this.database,
      "SELECT * FROM mr_log WHERE pos <= ? ORDER BY pos DESC LIMIT 1",
      topic.base + draft.offset,
    );
    const start = (row?.pos ?? 0) - topic.base;
    const block = { start, end: start + (row?.count ?? 0), appended: row?.appended ?? 0 };
    const record = recordsOf(topic, block, row?.body ?? "").find(({ offset }) => offset === draft.offset);
    if (record === undefined) throw new Error(`the test appended no ${draft.topic}@${draft.offset}`);
    const { lane = record.key, holds = true, since = 0, failure } = draft;
    run(
      this.database,
      `INSERT INTO mr_lane_entries(consumer, lane, home, state, holds, attempt, due, redrives, since, failure, fingerprint,
         topic, partition, offset, record) VALUES (?, ?, 0, ?, ?, 3, 0, 0, ?, ?, ?, ?, ?, ?, ?)`,
      draft.consumer,
      lane,
      draft.state,
      holds ? 1 : 0,
      since,
      failure === undefined ? null : JSON.stringify(failure),
      failure?.fingerprint ?? null,
      draft.topic,
      record.partition,
      record.offset,
      encodeRecord(record),
    );
    return first<{ entry: number }>(this.database, "SELECT max(entry) AS entry FROM mr_lane_entries")?.entry ?? 0;
  }
}
