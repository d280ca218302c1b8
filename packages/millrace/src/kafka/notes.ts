import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import type { Position } from "../store/unit.js";
import type { Cluster } from "./cluster.js";
import type { Directory } from "./directory.js";
import { grouped } from "./grouped.js";

/** So many failures in a row are told. */
const warnAt = 2;

/** What notes are made of. */
export interface NotesParts {
  readonly cluster: Cluster;
  readonly directory: Directory;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Writes how far consumers have come where Kafka's own tools look for it: as offsets of a group that has no members. Late,
 * and as a courtesy: nothing here reads them, and where they cannot be written that is all.
 */
export class Notes {
  readonly #parts: NotesParts;
  readonly #fresh = new Map<string, { readonly group: string; readonly position: Position }>();
  readonly #written = new Map<string, number>();
  #cancel: Cancel | undefined;
  #writing: Promise<void> = Promise.resolve();
  #closed = false;
  /** How often in a row they could not be written. */
  #refused = 0;

  constructor(parts: NotesParts) {
    this.#parts = parts;
  }

  note(consumer: string, positions: readonly Position[]): void {
    const { settings } = this.#parts.cluster;
    if (settings.offsetsEveryMs === 0) return;
    const group = settings.prefix + consumer;
    for (const position of positions) {
      const key = `${group} ${position.topic} ${position.partition}`;
      if (this.#written.get(key) !== position.frontier) this.#fresh.set(key, { group, position });
    }
    if (this.#fresh.size > 0) this.#writeLater();
  }

  #writeLater(): void {
    const { clock, cluster } = this.#parts;
    this.#cancel ??= clock.after(cluster.settings.offsetsEveryMs, () => {
      this.#cancel = undefined;
      this.#writing = this.#write();
    });
  }

  /** Writes what is new now, and for no longer than a moment. */
  async close(msMax: number): Promise<void> {
    this.#closed = true;
    this.#cancel?.();
    await Promise.race([this.#writing.then(() => this.#write()), this.#parts.cluster.pause(msMax)]);
  }

  async #write(): Promise<void> {
    const { cluster, directory, logger } = this.#parts;
    const notes = [...this.#fresh];
    this.#fresh.clear();
    if (notes.length === 0) return;
    try {
      await cluster.administer(async (admin) => {
        for (const [groupId, ofGroup] of grouped(notes, ([, { group }]) => group)) {
          const topics = [...grouped(ofGroup, ([, { position }]) => position.topic)].map(([topic, ofTopic]) => ({
            name: directory.kafkaName(topic),
            partitionOffsets: ofTopic.map(([, { position }]) => ({
              partition: position.partition,
              offset: BigInt(position.frontier),
            })),
          }));
          await admin.alterConsumerGroupOffsets({ groupId, topics });
        }
      });
      for (const [key, { position }] of notes) this.#written.set(key, position.frontier);
      this.#refused = 0;
    } catch (error) {
      for (const [key, note] of notes) if (!this.#fresh.has(key)) this.#fresh.set(key, note);
      this.#refused += 1;
      // The first time, Kafka may be making the topic that it keeps them in.
      if (this.#refused === warnAt)
        logger.warn({ err: error }, "offsets for Kafka's own tools cannot be written; consumers go on");
      if (!this.#closed) this.#writeLater();
    }
  }
}
