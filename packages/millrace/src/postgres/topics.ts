import { Failure } from "../failure/failure.js";
import type { TopicShape } from "../log/log.js";
import { translated } from "./errors.js";
import type { PgPool } from "./pool.js";
import { type Row, type Session, transact, withSession } from "./session.js";

const columns = "name, partitions, owner, key, retention_ms, incarnation, streams";

/** What is declared of topics, by all services that share the database. */
export class Topics {
  readonly #pool: PgPool;
  readonly #shared: string;
  #byName = new Map<string, TopicShape>();

  constructor(pool: PgPool, shared: string) {
    this.#pool = pool;
    this.#shared = shared;
  }

  /** A topic as this process last read it. */
  get(name: string): TopicShape | undefined {
    return this.#byName.get(name);
  }

  /** A topic, read anew when it is not known yet. */
  async find(name: string): Promise<TopicShape | undefined> {
    if (!this.#byName.has(name)) await this.all();
    return this.#byName.get(name);
  }

  async all(): Promise<readonly TopicShape[]> {
    const rows = await translated(() => withSession(this.#pool, (session) => this.#rows(session)));
    const topics = rows.map(decode);
    this.#byName = new Map(topics.map((topic) => [topic.name, topic]));
    return topics;
  }

  /**
   * Remembers what is declared of a topic. Once it holds streams, it stays so.
   *
   * @throws {Failure} PARTITIONS_CHANGED when it was declared with another partition count; CONFLICT when another service has its
   * streams.
   */
  async ensure(wanted: TopicShape): Promise<TopicShape> {
    const shape = await translated(() => transact(this.#pool, (session) => this.#ensure(session, wanted)));
    this.#byName.set(shape.name, shape);
    return shape;
  }

  async #ensure(session: Session, wanted: TopicShape): Promise<TopicShape> {
    const { name, partitions, owner, key, retentionMs = null, incarnation, streams = false } = wanted;
    await this.#refuseMoved(session, wanted);
    const row = await session.row(
      `INSERT INTO ${this.#shared}.mr_topics AS t (${columns}) VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, key = excluded.key, retention_ms = excluded.retention_ms,
         incarnation = excluded.incarnation, streams = t.streams OR excluded.streams
       RETURNING ${columns}`,
      ...[name, partitions, owner, key, retentionMs, incarnation, streams],
    );
    const shape = decode(row as Row);
    if (shape.partitions !== partitions)
      throw new Failure(
        "PARTITIONS_CHANGED",
        `topic ${name} has ${shape.partitions} partitions, its contract says ${partitions}: keys would change ` +
          "their partition and lose their order. Put the count back, or move to a new topic",
      );
    return shape;
  }

  /** Streams are in the schema of the service that wrote them: under another owner they would seem empty. */
  async #refuseMoved(session: Session, { name, owner }: TopicShape): Promise<void> {
    const before = await session.row(
      `SELECT t.owner, s.schema FROM ${this.#shared}.mr_topics AS t JOIN ${this.#shared}.mr_services AS s ON s.service = t.owner
       WHERE t.name = $1 AND t.owner <> $2 AND t.streams FOR UPDATE OF t`,
      ...[name, owner],
    );
    if (before === undefined) return;
    const [service, schema] = before as [string, string];
    const any = await session.row(`SELECT 1 FROM ${schema}.mr_streams WHERE topic = $1 LIMIT 1`, name);
    if (any === undefined) return;
    const tables = "mr_streams, mr_stream_events and mr_snapshots";
    throw new Failure(
      "CONFLICT",
      `topic ${name}: its aggregates' streams are service ${service}'s, in schema ${schema}, and service ${owner} would find none. Declare the ` +
        `aggregate in ${service} again; or, while nothing runs, move its rows of ${tables} to the schema of ${owner}, and set owner in ${this.#shared}.mr_topics`,
    );
  }

  #rows(session: Session): Promise<readonly Row[]> {
    return session.rows(`SELECT ${columns} FROM ${this.#shared}.mr_topics ORDER BY name`);
  }
}

function decode(row: Row): TopicShape {
  const [name, partitions, owner, key, retention, incarnation, streams] = row as [
    ...[string, number, string, string, number | null, string, boolean],
  ];
  const shape = { name, partitions, owner, key, retentionMs: retention ?? undefined, incarnation };
  return streams ? { ...shape, streams } : shape;
}
