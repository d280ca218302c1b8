import type { LogTopic } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { TopicShape } from "../log/log.js";
import type { PgPool } from "./pool.js";
import { type Row, type Session, transact, withSession } from "./session.js";

/** A topic of the log: its number stands for it in rows. */
export interface NumberedTopic extends LogTopic {
  readonly number: number;
}

/** The topics of a log in PostgreSQL. Numbers and partition counts never change. */
export class LogTopics {
  readonly #pool: PgPool;
  readonly #schema: string;
  readonly #byName = new Map<string, NumberedTopic>();

  constructor(pool: PgPool, schema: string) {
    this.#pool = pool;
    this.#schema = schema;
  }

  /** @throws {Failure} NOT_FOUND when nobody has made it. */
  async get(name: string): Promise<NumberedTopic> {
    if (!this.#byName.has(name)) await this.all();
    const topic = this.#byName.get(name);
    if (topic !== undefined) return topic;
    throw new Failure("NOT_FOUND", `topic ${name} does not exist in this log; declare it and start the app`);
  }

  async all(): Promise<readonly NumberedTopic[]> {
    const sql = `SELECT topic, name, partitions, incarnation FROM ${this.#schema}.mr_log_topics ORDER BY name`;
    const rows = await withSession(this.#pool, (session) => session.rows(sql));
    for (const row of rows) this.#byName.set(row[1] as string, decode(row));
    return [...this.#byName.values()];
  }

  /** @throws {Failure} PARTITIONS_CHANGED when it exists with another partition count. */
  async ensure(wanted: Omit<TopicShape, "incarnation">): Promise<NumberedTopic> {
    const topic = await transact(this.#pool, (session) => this.#ensure(session, wanted));
    if (topic.partitions !== wanted.partitions)
      throw new Failure(
        "PARTITIONS_CHANGED",
        `topic ${topic.name} has ${topic.partitions} partitions, its contract says ${wanted.partitions}: keys would change ` +
          "their partition and lose their order. Put the count back, or move to a new topic",
      );
    this.#byName.set(topic.name, topic);
    return topic;
  }

  async #ensure(session: Session, wanted: Omit<TopicShape, "incarnation">): Promise<NumberedTopic> {
    // A stream is kept whole.
    const retention = wanted.streams === true ? null : (wanted.retentionMs ?? null);
    const row = await session.row(
      `INSERT INTO ${this.#schema}.mr_log_topics(name, partitions, retention_ms, incarnation)
       VALUES ($1, $2, $3, gen_random_uuid()::text)
       ON CONFLICT (name) DO UPDATE SET retention_ms = excluded.retention_ms
       RETURNING topic, name, partitions, incarnation`,
      ...[wanted.name, wanted.partitions, retention],
    );
    const topic = decode(row as Row);
    await session.rows(
      `INSERT INTO ${this.#schema}.mr_log_partitions(topic, partition) SELECT $1, generate_series(0, $2 - 1) ON CONFLICT DO NOTHING`,
      ...[topic.number, topic.partitions],
    );
    return topic;
  }
}

function decode(row: Row): NumberedTopic {
  const [number, name, partitions, incarnation] = row as [number, string, number, string];
  return { number, name, partitions, incarnation };
}
