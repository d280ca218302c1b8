import { Failure } from "../failure/failure.js";
import type { LogWriter, NewRecord } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import type { Cluster } from "./cluster.js";
import type { Directory, TopicPlace } from "./directory.js";
import { leaderOf } from "./fetcher.js";
import { grouped } from "./grouped.js";
import { type Append, type Flight, Outbound } from "./outbound.js";
import { type ProduceAnswer, produceCall } from "./produce.js";
import type { BatchWriter } from "./record-batch.js";
import type { Tail } from "./tail.js";
import { failureOf, isPassing, isPassingError, protocol, protocolName } from "./trouble.js";

/** Below what brokers take by default (message.max.bytes), and what one request takes of all partitions together. */
const batchBytesMax = 900_000;
const requestBytesMax = 8_000_000;
const pauseMs = 100;
const drainMsMax = 5_000;

/** What a writer is made of. */
export interface WriterParts {
  readonly cluster: Cluster;
  readonly directory: Directory;
  readonly tail: Tail;
  readonly clock: Clock;
}

/**
 * Appends with acks=all, one batch per partition under way, each numbered so that the broker stores it once however often
 * it is sent. What cannot be stored within the patience is refused, and all that waits behind it in its partition with it.
 */
export class RecordWriter implements LogWriter {
  readonly #parts: WriterParts;
  readonly #outbound = new Map<string, Outbound>();
  readonly #busy = new Set<number>();
  #producer: Promise<BatchWriter> | undefined;
  #pumping = false;
  #turn = 0;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(parts: WriterParts) {
    this.#parts = parts;
  }

  async append(records: readonly NewRecord[]): Promise<void> {
    if (records.length === 0) return;
    // Known before anything waits in order: a topic that is not there is refused now.
    for (const topic of new Set(records.map((record) => record.topic)))
      if (this.#parts.directory.peek(topic) === undefined)
        await this.#parts.cluster.patiently(`appending to ${topic}`, () => this.#parts.directory.get(topic));
    if (this.#closed) throw closed();
    await new Promise<void>((resolve, reject) => {
      const append: Append = { left: records.length, failed: false, resolve, reject };
      for (const record of records) this.#of(record.topic, record.partition).add({ record, append });
      this.#schedule();
    });
  }

  /** Lets what is under way end, for a while; what is left is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    if (!this.#isIdle()) {
      const idle = new Promise<void>((resolve) => this.#idle.push(resolve));
      await Promise.race([idle, this.#parts.cluster.pause(drainMsMax)]);
    }
    for (const outbound of this.#outbound.values()) if (!outbound.idle) outbound.fail(closed());
  }

  #of(topic: string, partition: number): Outbound {
    const key = `${topic}/${partition}`;
    let outbound = this.#outbound.get(key);
    if (outbound === undefined) {
      outbound = new Outbound(topic, partition, batchBytesMax);
      this.#outbound.set(key, outbound);
    }
    return outbound;
  }

  #isIdle(): boolean {
    return [...this.#outbound.values()].every(({ idle }) => idle);
  }

  #schedule(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    // What comes up in one turn of the loop goes together.
    setImmediate(() => {
      this.#pumping = false;
      this.#pump();
    });
  }

  /** Starts a round for each broker that has none under way and leads partitions with records that wait. */
  #pump(): void {
    const waiting = [...this.#outbound.values()].filter(({ idle }) => !idle);
    if (waiting.length === 0) for (const tell of this.#idle.splice(0)) tell();
    const free = waiting.filter(({ sending }) => !sending);
    const byBroker = grouped(free, (outbound) => this.#brokerOf(outbound));
    for (const [broker, outbounds] of byBroker) {
      if (broker === undefined || this.#busy.has(broker)) continue;
      this.#busy.add(broker);
      for (const outbound of outbounds) outbound.sending = true;
      void this.#round(broker, outbounds).finally(() => {
        for (const outbound of outbounds) outbound.sending = false;
        this.#busy.delete(broker);
        this.#schedule();
      });
    }
  }

  #brokerOf(outbound: Outbound): number | undefined {
    const place = this.#parts.directory.peek(outbound.topic) as TopicPlace;
    try {
      return leaderOf(place, outbound.partition);
    } catch (error) {
      this.#fail(outbound, error);
      return undefined;
    }
  }

  /** One request to one broker, and what becomes of its batches. */
  async #round(broker: number, outbounds: readonly Outbound[]): Promise<void> {
    const { cluster, clock } = this.#parts;
    const { compression, client, patienceMs } = cluster.settings;
    for (const outbound of outbounds) outbound.deadline ??= clock.monotonic() + patienceMs;
    try {
      for (const outbound of outbounds) outbound.writer ??= await this.#newWriter();
      const flying = this.#board(outbounds);
      const answers = await cluster.request(
        broker,
        produceCall(
          flying.map(({ outbound, flight }) => ({
            topic: this.#kafkaTopic(outbound),
            partition: outbound.partition,
            batch: flight.encoded.seal(flight.writer, { now: clock.now(), compression }),
          })),
          client.timeout ?? 5_000,
        ),
      );
      await this.#settle(outbounds, answers);
    } catch (error) {
      await this.#trouble(outbounds, error);
    }
  }

  /** What goes with one request: of all partitions in turn, as much as one takes. */
  #board(outbounds: readonly Outbound[]): readonly { readonly outbound: Outbound; readonly flight: Flight }[] {
    const flying: { outbound: Outbound; flight: Flight }[] = [];
    const turn = this.#turn++ % outbounds.length;
    let bytes = 0;
    for (const outbound of [...outbounds.slice(turn), ...outbounds.slice(0, turn)]) {
      if (bytes > requestBytesMax) break;
      const flight = outbound.flight ?? outbound.board();
      if (flight === undefined) continue;
      bytes += flight.encoded.size;
      flying.push({ outbound, flight });
    }
    return flying;
  }

  #kafkaTopic({ topic }: Outbound): string {
    return this.#parts.directory.kafkaName(topic);
  }

  async #settle(outbounds: readonly Outbound[], answers: readonly ProduceAnswer[]): Promise<void> {
    const ends: { place: TopicPlace; partition: number; end: number }[] = [];
    const passing: { outbound: Outbound; error: Failure }[] = [];
    const landings: (() => void)[] = [];
    for (const { topic, partition, error, offset, message } of answers) {
      const outbound = outbounds.find((one) => this.#kafkaTopic(one) === topic && one.partition === partition);
      if (outbound?.flight === undefined) continue;
      const place = this.#parts.directory.peek(outbound.topic) as TopicPlace;
      if (error === protocol.none || error === protocol.duplicateSequence) {
        if (offset >= 0) ends.push({ place, partition, end: offset + outbound.flight.items.length });
        landings.push(() => outbound.landed(error === protocol.none ? offset : -1));
      } else {
        const failure = this.#refused(outbound, error, message);
        if (failure !== undefined) passing.push({ outbound, error: failure });
      }
    }
    // Readers of this process are told before whoever appended is: to him, they are not at their ends any more.
    this.#parts.tail.appended(ends);
    for (const land of landings) land();
    if (passing.length > 0) await this.#again(passing);
  }

  /** What to do about an error of one partition; a failure when the batch is to be sent again. */
  #refused(outbound: Outbound, code: number, message: string): Failure | undefined {
    const where = `${this.#kafkaTopic(outbound)}/${outbound.partition}`;
    const why = [protocolName(code), message].filter(Boolean).join(" ");
    const { items } = outbound.flight as { items: readonly unknown[] };
    if (code === protocol.messageTooLarge || code === protocol.recordListTooLarge) {
      if (items.length > 1) outbound.split();
      else outbound.refuseFlight(tooLarge(where, why));
    } else if (code === protocol.invalidRecord)
      outbound.refuseFlight(new Failure("PAYLOAD_LIMIT", `${where} does not take the record: ${why}`));
    else if (isLostSequence(code)) {
      // The broker does not know what this process has written. Under a new number, it may store a copy: readers drop it.
      this.#producer = undefined;
      outbound.writer = undefined;
      return new Failure("STORE_UNAVAILABLE", `${where}: ${why}`);
    } else if (isPassing(code))
      return new Failure("STORE_UNAVAILABLE", `${where} cannot be written at the moment: ${why}`);
    else this.#fail(outbound, new Failure("STORE_UNAVAILABLE", `${where} cannot be written: ${why}`));
    return undefined;
  }

  /** The request was not answered: whether it was heard is not known, so that the same batches are sent again. */
  async #trouble(outbounds: readonly Outbound[], error: unknown): Promise<void> {
    const failure = failureOf(error, "appending");
    if (isPassingError(error)) return this.#again(outbounds.map((outbound) => ({ outbound, error: failure })));
    for (const outbound of outbounds) this.#fail(outbound, failure);
  }

  async #again(failed: readonly { readonly outbound: Outbound; readonly error: Failure }[]): Promise<void> {
    const { cluster, clock, directory } = this.#parts;
    for (const { outbound, error } of failed) {
      if (clock.monotonic() + pauseMs > (outbound.deadline ?? 0)) this.#fail(outbound, error);
      else if (outbound.flight !== undefined && outbound.writer === undefined) {
        const writer = await this.#newWriter().catch(() => undefined);
        if (writer !== undefined) outbound.flight.writer = writer;
      }
    }
    await cluster.pause(pauseMs);
    const topics = new Set(failed.map(({ outbound }) => outbound.topic));
    // Another broker may lead it by now. Whether it does is asked again with the next attempt.
    await Promise.all([...topics].map((topic) => directory.refresh(topic).catch(() => undefined)));
  }

  /** Whether its last batch is stored is not known: nothing is written there under that number again. */
  #fail(outbound: Outbound, error: unknown): void {
    this.#producer = undefined;
    outbound.fail(error);
  }

  /** A number under which this process writes a partition, from sequence 0 on. */
  async #newWriter(): Promise<BatchWriter> {
    this.#producer ??= this.#parts.cluster.initProducer();
    try {
      return await this.#producer;
    } catch (error) {
      this.#producer = undefined;
      throw error;
    }
  }
}

function isLostSequence(code: number): boolean {
  return (
    code === protocol.outOfOrderSequence || code === protocol.unknownProducer || code === protocol.invalidProducerEpoch
  );
}

function tooLarge(where: string, why: string): Failure {
  return new Failure(
    "PAYLOAD_LIMIT",
    `${where}: a record is larger than the topic takes: ${why}; raise its max.message.bytes, or publish less at once`,
  );
}

function closed(): Failure {
  return new Failure(
    "STORE_UNAVAILABLE",
    "the log was closed before Kafka acknowledged it; what was not acknowledged may be stored or not",
  );
}
