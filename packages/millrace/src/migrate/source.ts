import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { checkFormat } from "../embedded/format.js";
import { readBody, readTopics, recordsOf, type TopicHistory, walkBlocks } from "../embedded/history.js";
import { type Ownership, ownerOf, refuseEmptied, takeOwnership } from "../embedded/owner.js";
import { all } from "../embedded/query.js";
import { type Database, openDatabase } from "../embedded/sqlite.js";
import { Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";

/** An embedded engine's file that nobody else uses meanwhile. */
export class Source {
  readonly #database: Database;
  readonly #ownership: Ownership;
  readonly topics: readonly TopicHistory[];

  private constructor(database: Database, ownership: Ownership) {
    this.#database = database;
    this.#ownership = ownership;
    this.topics = readTopics(database);
  }

  /**
   * @throws {Failure} NOT_FOUND when there is no file; STORE_OWNED while a program uses it; STORE_FORMAT when it is not ours.
   */
  static open(dir: string): Source {
    const [folder, file] = [resolve(dir), join(resolve(dir), "millrace.db")];
    if (!existsSync(file))
      throw new Failure("NOT_FOUND", `there is no ${file}: name the folder of the app's data with --dir`);
    refuseEmptied(folder, file);
    const ownership = takeOwnership(folder, `${process.pid}/migrate`);
    if (ownership === undefined)
      throw new Failure("STORE_OWNED", `${ownerOf(folder)} uses ${file}: stop the app before its engine is migrated`);
    try {
      const database = openDatabase(file, { readOnly: true });
      checkFormat(database, file);
      return new Source(database, ownership);
    } catch (error) {
      ownership.release();
      throw error;
    }
  }

  rows<T>(sql: string, ...params: (string | number)[]): T[] {
    return all<T>(this.#database, sql, ...params);
  }

  /** Every record of a topic that is still stored, in the order of the log. */
  *records(topic: TopicHistory): Generator<LogRecord> {
    for (const block of walkBlocks(this.#database, topic, { from: topic.first, to: topic.end })) {
      const body = readBody(this.#database, topic, block);
      if (body !== undefined) yield* recordsOf(topic, block, body);
    }
  }

  /** Services' own tables: their SQL is SQLite's. */
  userTables(): string[] {
    const sql = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'mr\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`;
    return this.rows<{ name: string }>(sql).map(({ name }) => name);
  }

  close(): void {
    this.#database.close();
    this.#ownership.release();
  }
}
