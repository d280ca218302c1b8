import { Failure } from "../failure/failure.js";
import { assertSound, decodeOne } from "../log/block.js";
import type { LogRecord, NewRecord } from "../log/log.js";
import { streamRecords } from "../store/identity.js";
import type { Snapshot, StreamName, StreamPage, StreamQuery, StreamRead } from "../store/stream.js";
import { offsetSpan } from "./schema.js";
import { type Database, prepareRows, type Statement } from "./sqlite.js";

const recordsMax = 1_000;
const charactersMax = 1024 * 1024;
/** Streams whose versions the writer remembers, in each of two generations. */
const knownMax = 50_000;

/** What a stream's rows and a topic's blocks are found by. */
type TopicId = (name: string) => number | undefined;

interface Known {
  readonly stream: number;
  readonly version: number;
}

const absent: Known = { stream: 0, version: 0 };

/** Reads streams: where their events lie says the index, what they are says the log. */
export class StreamReader {
  readonly #topicId: TopicId;
  readonly #stream: Statement;
  readonly #events: Statement;
  readonly #last: Statement;
  readonly #block: Statement;
  readonly #snapshot: Statement;

  constructor(database: Database, topicId: TopicId) {
    this.#topicId = topicId;
    this.#stream = prepareRows(database, "SELECT stream FROM mr_streams WHERE topic = ? AND key = ?");
    this.#events = prepareRows(
      database,
      "SELECT sequence, offset FROM mr_stream_events WHERE stream = ? AND sequence > ? ORDER BY sequence LIMIT ?",
    );
    this.#last = prepareRows(
      database,
      "SELECT sequence FROM mr_stream_events WHERE stream = ? ORDER BY sequence DESC LIMIT 1",
    );
    this.#block = prepareRows(
      database,
      "SELECT pos, count, appended, body, sum FROM mr_log WHERE pos <= ? ORDER BY pos DESC LIMIT 1",
    );
    this.#snapshot = prepareRows(database, "SELECT version, fold, state FROM mr_snapshots WHERE stream = ?");
  }

  read({ topic: name, key, after, limit }: StreamQuery): StreamPage {
    const topic = this.#topicId(name);
    const stream = topic === undefined ? undefined : this.#idOf(topic, key);
    if (topic === undefined || stream === undefined) return { records: [], version: 0 };
    const rows = this.#events.all(stream, after, Math.min(Math.max(0, limit), recordsMax)) as [number, number][];
    const blocks = new Blocks(this.#block, name, topic);
    const records: LogRecord[] = [];
    for (const [sequence, offset] of rows) {
      const record = blocks.recordAt(offset);
      if (record.key !== key || record.headers?.sequence !== sequence) throw damaged(name, key, sequence);
      records.push(record);
      if (blocks.characters >= charactersMax) break;
    }
    // Read last, so that it is not below the page's events.
    return { records, version: this.#versionOf(stream) };
  }

  /** A stream's number and version, as the file has them. */
  known({ topic: name, key }: StreamName): Known {
    const topic = this.#topicId(name);
    const stream = topic === undefined ? undefined : this.#idOf(topic, key);
    return stream === undefined ? absent : { stream, version: this.#versionOf(stream) };
  }

  snapshot({ topic, key }: StreamName): Snapshot | undefined {
    const { stream } = this.known({ topic, key });
    const row = stream === 0 ? undefined : (this.#snapshot.get(stream) as [number, number, string] | undefined);
    return row === undefined ? undefined : { topic, key, version: row[0], fold: row[1], text: row[2] };
  }

  #versionOf(stream: number): number {
    return (this.#last.get(stream) as [number] | undefined)?.[0] ?? 0;
  }

  #idOf(topic: number, key: string): number | undefined {
    return (this.#stream.get(topic, key) as [number] | undefined)?.[0];
  }
}

/** The blocks of one topic, one at a time: events that follow each other often lie in the same. */
class Blocks {
  /** Of the lines that were taken. */
  characters = 0;
  readonly #select: Statement;
  readonly #name: string;
  readonly #base: number;
  #block:
    | { readonly first: number; readonly end: number; readonly appended: number; readonly body: string }
    | undefined;

  constructor(select: Statement, name: string, topic: number) {
    this.#select = select;
    this.#name = name;
    this.#base = topic * offsetSpan;
  }

  recordAt(offset: number): LogRecord {
    if (this.#block === undefined || offset >= this.#block.end) {
      const row = this.#select.get(this.#base + offset) as [number, number, number, string, number] | undefined;
      const [pos = 0, count = 0, appended = 0, body = "", sum = 0] = row ?? [];
      const first = pos - this.#base;
      if (row !== undefined) assertSound({ count, appended, body, sum }, this.#name, first);
      this.#block = { first, end: first + count, appended, body };
    }
    const { first, end, body } = this.#block;
    const record = first < 0 || offset >= end ? undefined : decodeOne(this.#name, this.#block, offset);
    if (record === undefined)
      throw new Failure("STORE_DAMAGED", `${this.#name}@${offset}: an aggregate's event is not there${advice}`);
    this.characters += body.length / (end - first);
    return record;
  }
}

const advice = "; stop, keep a copy of the file, and restore a backup";

function damaged(topic: string, key: string, sequence: number): Failure {
  return new Failure("STORE_DAMAGED", `${topic} ${key}: event ${sequence} is not where the index says${advice}`);
}

/** The writer's side of streams. What it remembers of their versions is exact: nobody else writes. */
export class StreamTables {
  readonly #reader: StreamReader;
  readonly #topicId: TopicId;
  readonly #stream: Statement;
  readonly #event: Statement;
  readonly #snapshot: Statement;
  #young = new Map<string, Known>();
  #old = new Map<string, Known>();
  #staged = new Map<string, Known>();

  constructor(database: Database, topicId: TopicId) {
    this.#reader = new StreamReader(database, topicId);
    this.#topicId = topicId;
    this.#stream = database.prepare("INSERT INTO mr_streams(topic, key) VALUES (?, ?)");
    this.#event = database.prepare("INSERT INTO mr_stream_events VALUES (?, ?, ?)");
    this.#snapshot = database.prepare("INSERT OR REPLACE INTO mr_snapshots VALUES (?, ?, ?, ?)");
  }

  /** True when the stream is not what was read: the first unit of a group that appends to it wins. */
  stale(read: StreamRead): boolean {
    return this.#known(read).version !== read.version;
  }

  /** The records of a unit have their offsets: those of its stream are noted there, in their order. */
  append(read: StreamRead, records: readonly NewRecord[]): void {
    const known = this.#known(read);
    let { stream, version } = known;
    for (const record of streamRecords(read, version, records)) {
      version += 1;
      if (stream === 0) stream = this.#make(read);
      this.#event.run(stream, version, record.offset);
    }
    if (version !== known.version) this.#staged.set(nameOf(read), { stream, version });
  }

  replaceSnapshot(snapshot: Snapshot): void {
    const { stream } = this.#known(snapshot);
    if (stream !== 0) this.#snapshot.run(stream, snapshot.version, snapshot.fold, snapshot.text);
  }

  /** The group is on disk. */
  keep(): void {
    if (this.#staged.size === 0) return;
    for (const [name, known] of this.#staged) this.#remember(name, known);
    this.#staged.clear();
  }

  undo(): void {
    this.#staged.clear();
  }

  #make({ topic, key }: StreamName): number {
    return Number(this.#stream.run(this.#topicId(topic) as number, key).lastInsertRowid);
  }

  #known(read: StreamName): Known {
    const name = nameOf(read);
    const known = this.#staged.get(name) ?? this.#young.get(name);
    if (known !== undefined) return known;
    const found = this.#old.get(name) ?? this.#reader.known(read);
    this.#remember(name, found);
    return found;
  }

  #remember(name: string, known: Known): void {
    this.#young.set(name, known);
    if (this.#young.size <= knownMax) return;
    this.#old = this.#young;
    this.#young = new Map();
  }
}

/** No topic has a slash in its name. */
const nameOf = ({ topic, key }: StreamName) => `${topic}/${key}`;
