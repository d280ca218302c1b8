import { Failure } from "../failure/failure.js";
import type { TopicShape } from "../log/log.js";
import { blockAt, readTopics } from "./history.js";
import { offsetSpan } from "./schema.js";
import type { Database } from "./sqlite.js";

/** A block as it lies in the file, kept in memory while it is new. */
export interface Block {
  readonly first: number;
  readonly count: number;
  readonly appended: number;
  readonly body: string;
}

const tailBytesMax = 2 * 1024 * 1024;

/** A topic of this file. `end` is the offset the next record gets. The newest blocks stay in memory for their readers. */
export class Topic {
  readonly tail: Block[] = [];
  #tailBytes = 0;

  constructor(
    readonly id: number,
    public shape: TopicShape,
    public first: number,
    public end: number,
  ) {}

  get base(): number {
    return this.id * offsetSpan;
  }

  grew(block: Block): void {
    this.end = block.first + block.count;
    this.tail.push(block);
    this.#tailBytes += block.body.length;
    while (this.#tailBytes > tailBytesMax && this.tail.length > 1)
      this.#tailBytes -= (this.tail.shift() as Block).body.length;
  }
}

/** The topics of a file, by name. */
export class Topics {
  readonly byName = new Map<string, Topic>();
  /** The append time of the newest block in the file. */
  lastAppended = 0;
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    this.refresh();
  }

  /** Reads the topics anew: another process may have made one, appended to it, or removed its oldest records. */
  refresh(): void {
    const database = this.#database;
    for (const topic of readTopics(database)) {
      const { id, shape, first, end } = topic;
      this.lastAppended = Math.max(this.lastAppended, blockAt(database, topic, end)?.appended ?? 0);
      const known = this.byName.get(shape.name);
      if (known === undefined) {
        this.byName.set(shape.name, new Topic(id, shape, first, end));
        continue;
      }
      known.shape = shape;
      known.first = first;
      known.end = Math.max(known.end, end);
    }
  }

  get(name: string): Topic {
    const topic = this.byName.get(name);
    if (topic === undefined)
      throw new Failure("NOT_FOUND", `topic ${name} does not exist in this file; declare it and start the app`);
    return topic;
  }

  ensure(wanted: Omit<TopicShape, "incarnation">, incarnation: string): TopicShape {
    const known = this.byName.get(wanted.name);
    if (known === undefined) return this.#create({ ...wanted, incarnation });
    if (known.shape.partitions !== wanted.partitions)
      throw new Failure(
        "PARTITIONS_CHANGED",
        `topic ${wanted.name} has ${known.shape.partitions} partitions, its contract says ${wanted.partitions}: keys would change ` +
          "their partition and lose their order. Put the count back, or move to a new topic",
      );
    const { shape } = known;
    if (wanted.streams === true && shape.streams !== true) this.#turn(known);
    if (shape.owner !== wanted.owner || shape.key !== wanted.key || shape.retentionMs !== wanted.retentionMs) {
      this.#database
        .prepare("UPDATE mr_topics SET owner = ?, key = ?, retention_ms = ? WHERE topic = ?")
        .run(wanted.owner, wanted.key, wanted.retentionMs ?? null, known.id);
      known.shape = { ...known.shape, ...wanted, incarnation: shape.incarnation };
    }
    return known.shape;
  }

  /** From now on each of its keys is a stream. Events that are there already would be no part of any. */
  #turn(topic: Topic): void {
    if (topic.end > 0)
      throw new Failure(
        "CONFLICT",
        `topic ${topic.shape.name} has ${topic.end} events that its aggregate did not write: it cannot tell its state from them. ` +
          "Give the aggregate a new topic, and have it take the old events' facts as commands",
      );
    this.#database.prepare("UPDATE mr_topics SET streams = 1 WHERE topic = ?").run(topic.id);
    topic.shape = { ...topic.shape, streams: true };
  }

  #create(shape: TopicShape): TopicShape {
    const { lastInsertRowid } = this.#database
      .prepare(
        "INSERT INTO mr_topics(name, partitions, owner, key, retention_ms, incarnation, streams) VALUES (?, ?, ?, ?, ?, ?, ?)",
      )
      .run(
        shape.name,
        shape.partitions,
        shape.owner,
        shape.key,
        shape.retentionMs ?? null,
        shape.incarnation,
        shape.streams === true ? 1 : 0,
      );
    this.byName.set(shape.name, new Topic(Number(lastInsertRowid), shape, 0, 0));
    return shape;
  }
}
