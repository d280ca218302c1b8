import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { DatabaseSyncInstance as Database } from "@photostructure/sqlite";
import { type Ack, acksIn, runsIn, troublesIn } from "./record.js";

// What the file itself says, read with SQL of our own: nothing of the product is asked whether it did well.

type Sqlite = typeof import("@photostructure/sqlite");
const builtIn = Number(process.versions.node.split(".")[0]) >= 24;
const sqlite = createRequire(import.meta.url)(builtIn ? "node:sqlite" : "@photostructure/sqlite") as Sqlite;

/** An event as the log holds it. */
export interface Logged {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly appended: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a consumer has applied, in the order of the commits. */
export interface Applied {
  readonly consumer: string;
  readonly topic: string;
  readonly key: string;
  readonly id: string;
}

/** An event in a lane. */
export interface Entry {
  readonly consumer: string;
  readonly lane: string;
  readonly state: string;
  readonly holds: number;
  readonly topic: string;
  readonly offset: number;
}

/** How far a consumer is in a partition. */
export interface Place {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly frontier: number;
  readonly finished: readonly (readonly [start: number, end: number])[];
}

export interface Tally {
  readonly id: string;
  readonly count: number;
  readonly hash: number;
  readonly last: string;
}

/** All there is to audit. */
export interface Facts {
  readonly acks: readonly Ack[];
  /** By consumer and id: the idempotency keys that its runs had. */
  readonly runs: ReadonlyMap<string, ReadonlySet<string>>;
  readonly log: readonly Logged[];
  readonly applied: readonly Applied[];
  readonly entries: readonly Entry[];
  readonly places: readonly Place[];
  readonly tallies: readonly Tally[];
  readonly accounts: readonly { readonly key: string; readonly pence: number }[];
  readonly timers: number;
  readonly operations: ReadonlyMap<string, string>;
  /** Consumers that stopped by themselves: no kill may bring that about. */
  readonly stops: readonly string[];
}

const offsetSpan = 2 ** 38;
type Line = [string, number, string, number, string, string, number, unknown, unknown, number, unknown, unknown];

function openFile(dir: string): Database {
  return new sqlite.DatabaseSync(join(dir, "data", "millrace.db"), { readOnly: true });
}

function rows<Row>(database: Database, sql: string, ...params: readonly (string | number)[]): Row[] {
  return database.prepare(sql).all(...params) as unknown as Row[];
}

/** Reads it all: the file, and what `slots` drivers wrote down. */
export function readFacts(dir: string, slots: number): Facts {
  const database = openFile(dir);
  try {
    const numbers = Array.from({ length: slots }, (_, slot) => slot);
    return {
      acks: numbers.flatMap((slot) => [...acksIn(join(dir, `acks-${slot}.log`))]),
      runs: runsOf(numbers.map((slot) => join(dir, `runs-${slot}.log`))),
      log: readLog(database),
      stops: numbers.flatMap((slot) => stopsIn(join(dir, `log-${slot}.log`))),
      applied: [...appliedIn(database, "applied_books"), ...appliedIn(database, "applied_mirror")],
      entries: readEntries(database),
      places: readPlaces(database),
      tallies: documentsOf<Tally>(database, "tallies"),
      accounts: documentsOf(database, "accounts"),
      timers: count(database, "SELECT count(*) AS n FROM mr_timers"),
      operations: new Map(
        rows<{ operation: string; state: string }>(database, "SELECT operation, state FROM mr_operations").map(
          ({ operation, state }) => [operation, state],
        ),
      ),
    };
  } finally {
    database.close();
  }
}

function runsOf(files: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const runs = new Map<string, Set<string>>();
  for (const file of files)
    for (const { consumer, id, idempotencyKey } of runsIn(file)) {
      const keys = runs.get(`${consumer} ${id}`);
      if (keys === undefined) runs.set(`${consumer} ${id}`, new Set([idempotencyKey]));
      else keys.add(idempotencyKey);
    }
  return runs;
}

function stopsIn(file: string): readonly string[] {
  return (
    [...troublesIn(file)]
      // One that asks the owner something while its app stops, as it was told to, says so too.
      .filter(({ level, text }) => level === "error" && / stopped: /.test(text) && !/ APP_STOPPED /.test(text))
      .map(({ text }) => text)
  );
}

function readLog(database: Database): readonly Logged[] {
  const names = new Map(
    rows<{ topic: number; name: string }>(database, "SELECT topic, name FROM mr_topics").map(({ topic, name }) => [
      topic,
      name,
    ]),
  );
  const log: Logged[] = [];
  const blocks = rows<{ pos: number; appended: number; body: string }>(
    database,
    "SELECT pos, appended, body FROM mr_log ORDER BY pos",
  );
  for (const { pos, appended, body } of blocks) {
    const topic = names.get(Math.floor(pos / offsetSpan)) ?? "?";
    for (const [index, line] of (JSON.parse(body) as Line[]).entries())
      log.push({
        topic,
        partition: line[1],
        offset: (pos % offsetSpan) + index,
        id: line[0],
        type: line[2],
        key: line[5],
        appended,
        data: line[11] as Logged["data"],
      });
  }
  return log;
}

function appliedIn(database: Database, table: string): readonly Applied[] {
  if (count(database, "SELECT count(*) AS n FROM sqlite_schema WHERE name = ?", table) === 0) return [];
  return rows<Applied>(database, `SELECT consumer, topic, key, id FROM ${table} ORDER BY seq`);
}

function readEntries(database: Database): readonly Entry[] {
  return rows<Entry>(
    database,
    "SELECT consumer, lane, state, holds, topic, offset FROM mr_lane_entries ORDER BY entry",
  );
}

function readPlaces(database: Database): readonly Place[] {
  return rows<Omit<Place, "finished"> & { finished: string }>(
    database,
    "SELECT consumer, topic, partition, frontier, finished FROM mr_positions",
  ).map((place) => ({
    ...place,
    finished:
      place.finished === ""
        ? []
        : place.finished.split(",").map((range) => range.split("-").map(Number) as [number, number]),
  }));
}

function documentsOf<Doc>(database: Database, type: string): readonly Doc[] {
  return rows<{ data: string }>(
    database,
    "SELECT d.data FROM mr_documents AS d JOIN mr_document_types AS t ON t.type = d.type WHERE t.name = ?",
    type,
  ).map(({ data }) => JSON.parse(data) as Doc);
}

function count(database: Database, sql: string, ...params: readonly string[]): number {
  return rows<{ n: number }>(database, sql, ...params)[0]?.n ?? 0;
}

/** Watches a file that is in use until nothing is left to do. Reads only what is new of the log. */
export class RestWatch {
  readonly #dir: string;
  /** Where each partition's last event is. */
  readonly #last = new Map<string, number>();
  readonly #read = new Map<number, number>();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** What is left to do, in words; empty at rest. */
  left(): readonly string[] {
    if (!existsSync(join(this.#dir, "data", "millrace.db"))) return ["there is no file yet"];
    const database = openFile(this.#dir);
    try {
      database.exec("PRAGMA busy_timeout = 5000");
      this.#readOn(database);
      return [...this.#pending(database), ...this.#waiting(database)];
    } finally {
      database.close();
    }
  }

  #readOn(database: Database): void {
    for (const { topic, name } of rows<{ topic: number; name: string }>(
      database,
      "SELECT topic, name FROM mr_topics",
    )) {
      const from = this.#read.get(topic) ?? topic * offsetSpan - 1;
      const blocks = rows<{ pos: number; body: string }>(
        database,
        "SELECT pos, body FROM mr_log WHERE pos > ? AND pos < ? ORDER BY pos",
        from,
        (topic + 1) * offsetSpan,
      );
      for (const { pos, body } of blocks) {
        for (const [index, line] of (JSON.parse(body) as Line[]).entries())
          this.#last.set(`${name}/${line[1]}`, (pos % offsetSpan) + index);
        this.#read.set(topic, pos);
      }
    }
  }

  #pending(database: Database): readonly string[] {
    return readPlaces(database)
      .map(({ consumer, topic, partition, frontier }) => {
        const last = this.#last.get(`${topic}/${partition}`) ?? -1;
        return frontier > last ? "" : `${consumer} is at ${frontier} of ${topic}/${partition}, which ends at ${last}`;
      })
      .filter((text) => text !== "");
  }

  #waiting(database: Database): readonly string[] {
    const entries = readEntries(database);
    const dead = new Set(entries.filter(({ state, holds }) => state === "dead" && holds === 1).map(laneOf));
    const waiting = entries.filter((entry) => entry.state !== "dead" && !dead.has(laneOf(entry)));
    const timers = count(database, "SELECT count(*) AS n FROM mr_timers");
    return [
      ...waiting.map(
        ({ consumer, lane, state, topic, offset }) => `${consumer}: ${topic} ${offset} is ${state} in ${lane}`,
      ),
      ...(timers === 0 ? [] : [`${timers} timers`]),
    ];
  }
}

/** The lane of an entry, among all consumers. */
export function laneOf({ consumer, lane }: Pick<Entry, "consumer" | "lane">): string {
  return `${consumer} ${lane}`;
}
