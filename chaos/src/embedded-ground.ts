import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { DatabaseSyncInstance as Database } from "@photostructure/sqlite";
import {
  type Applied,
  type Entry,
  type Logged,
  type Place,
  pendingIn,
  rangesOf,
  type StoredFacts,
  type Tally,
  waitingIn,
} from "./facts.js";
import type { Ground, RestWatch } from "./ground.js";

type Sqlite = typeof import("@photostructure/sqlite");
const builtIn = Number(process.versions.node.split(".")[0]) >= 24;
const sqlite = createRequire(import.meta.url)(builtIn ? "node:sqlite" : "@photostructure/sqlite") as Sqlite;

/** One embedded file in a folder. */
export function embeddedGround(dir: string): Ground {
  const folder = join(dir, "data");
  const file = join(folder, "millrace.db");
  return {
    place: { engine: "embedded", dir: folder },
    pace: 1,
    joiners: 0,
    owner: () => ownerOf(folder),
    watch: async () => new FileWatch(file),
    facts: async () => readFile(file),
    upset: () => undefined,
    upsets: () => ({}),
    calm: async () => {},
    close: async () => {},
  };
}

function ownerOf(folder: string): number {
  try {
    return (JSON.parse(readFileSync(join(folder, "owner.json"), "utf8")) as { pid: number }).pid;
  } catch {
    return -1;
  }
}

const offsetSpan = 2 ** 38;
type Line = [string, number, string, number, string, string, number, unknown, unknown, number, unknown, unknown];

function openFile(file: string): Database {
  return new sqlite.DatabaseSync(file, { readOnly: true });
}

function rows<Row>(database: Database, sql: string, ...params: readonly (string | number)[]): Row[] {
  return database.prepare(sql).all(...params) as unknown as Row[];
}

function readFile(file: string): StoredFacts {
  const database = openFile(file);
  try {
    return {
      log: readLog(database),
      copies: 0,
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
      oddities: [],
    };
  } finally {
    database.close();
  }
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
  return rows<Omit<Entry, "holds"> & { holds: number }>(
    database,
    "SELECT consumer, lane, state, holds, topic, partition, offset FROM mr_lane_entries ORDER BY entry",
  ).map((entry) => ({ ...entry, holds: entry.holds === 1 }));
}

function readPlaces(database: Database): readonly Place[] {
  return rows<Omit<Place, "finished"> & { finished: string }>(
    database,
    "SELECT consumer, topic, partition, frontier, finished FROM mr_positions",
  ).map((place) => ({ ...place, finished: rangesOf(place.finished) }));
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
class FileWatch implements RestWatch {
  readonly #file: string;
  /** Where each partition's last event is. */
  readonly #last = new Map<string, number>();
  readonly #read = new Map<number, number>();

  constructor(file: string) {
    this.#file = file;
  }

  async left(): Promise<readonly string[]> {
    if (!existsSync(this.#file)) return ["there is no file yet"];
    const database = openFile(this.#file);
    try {
      database.exec("PRAGMA busy_timeout = 5000");
      this.#readOn(database);
      const timers = count(database, "SELECT count(*) AS n FROM mr_timers");
      return [
        ...pendingIn(readPlaces(database), this.#last),
        ...waitingIn(readEntries(database)),
        ...(timers === 0 ? [] : [`${timers} timers`]),
      ];
    } finally {
      database.close();
    }
  }

  async close(): Promise<void> {}

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
}
