import type { LogTopic, OpenLog } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { Batch, LogRecord, NewRecord, ReadRequest, RecordPlace, TopicShape } from "../log/log.js";

/** A log in memory whose partitions have offsets of their own, as in Kafka: for tests of what works beside any log. */
export class TrialLog implements OpenLog {
  readonly #topics = new Map<
    string,
    { readonly topic: LogTopic; readonly partitions: LogRecord[][]; firsts: number[] }
  >();
  readonly #heard = new Set<(topics: readonly string[]) => void>();
  /** When records reach the log from now on (ms since the epoch). */
  now = 0;

  ensureTopic({ name, partitions }: Omit<TopicShape, "incarnation">): LogTopic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known.topic;
    const topic = { name, partitions, incarnation: `${name}-1` };
    const each = Array.from({ length: partitions });
    this.#topics.set(name, { topic, partitions: each.map(() => []), firsts: each.map(() => 0) });
    return topic;
  }

  topics(): readonly LogTopic[] {
    return [...this.#topics.values()].map(({ topic }) => topic);
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    for (const record of records) {
      const { partitions, firsts } = this.#of(record.topic);
      const partition = partitions[record.partition] as LogRecord[];
      record.offset = (firsts[record.partition] as number) + partition.length;
      const { data, named, ...rest } = record;
      const text = typeof data === "string" ? data : undefined;
      partition.push({
        ...rest,
        appended: this.now,
        correlationId: record.correlationId ?? record.id,
        data: text === undefined ? undefined : JSON.parse(text),
        bytes: typeof data === "string" ? undefined : data,
      });
    }
    for (const heard of this.#heard) heard([...new Set(records.map(({ topic }) => topic))]);
  }

  /** Fair between partitions, and never more than was asked for, but one record. */
  read({ topic, from, recordsMax, bytesMax }: ReadRequest): Batch {
    const { partitions, firsts } = this.#of(topic);
    const next = from.map((start, partition) => Math.max(start, start < 0 ? start : (firsts[partition] ?? 0)));
    const records: LogRecord[] = [];
    let bytes = 0;
    for (let grown = true; grown; ) {
      grown = false;
      for (const [partition, offset] of next.entries()) {
        const record = offset < 0 ? undefined : partitions[partition]?.[offset - (firsts[partition] as number)];
        const full = records.length >= recordsMax || bytes >= bytesMax;
        if (record === undefined || (full && records.length > 0)) continue;
        records.push(record);
        bytes += sizeOf(record);
        next[partition] = offset + 1;
        grown = true;
      }
    }
    const ends = this.ends(topic);
    const atEnd = next.every((offset, partition) => offset < 0 || offset >= (ends[partition] ?? 0));
    return { records, sizes: records.map(sizeOf), next, atEnd, bytes };
  }

  record({ topic, partition, offset }: RecordPlace): LogRecord | undefined {
    const { partitions, firsts } = this.#of(topic);
    return partitions[partition]?.[offset - (firsts[partition] as number)];
  }

  ends(topic: string): readonly number[] {
    const { partitions, firsts } = this.#of(topic);
    return partitions.map((records, partition) => (firsts[partition] as number) + records.length);
  }

  starts(topic: string): readonly number[] {
    return [...this.#of(topic).firsts];
  }

  offsetsAt(topic: string, at: number): readonly number[] {
    const { partitions, firsts } = this.#of(topic);
    return partitions.map((records, partition) => {
      const found = records.findIndex(({ appended }) => appended >= at);
      return (firsts[partition] as number) + (found < 0 ? records.length : found);
    });
  }

  /** As retention does. */
  trim(topic: string, partition: number, first: number): void {
    const { partitions, firsts } = this.#of(topic);
    partitions[partition]?.splice(0, first - (firsts[partition] as number));
    firsts[partition] = first;
  }

  onAppended(heard: (topics: readonly string[]) => void): () => void {
    this.#heard.add(heard);
    return () => this.#heard.delete(heard);
  }

  note(): void {}

  async preflight(): Promise<readonly []> {
    return [];
  }

  async close(): Promise<void> {}

  #of(name: string) {
    const topic = this.#topics.get(name);
    if (topic === undefined) throw new Failure("NOT_FOUND", `there is no topic ${name}`);
    return topic;
  }
}

const sizeOf = (record: LogRecord) => JSON.stringify(record.data ?? null).length + 100;
