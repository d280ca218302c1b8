import { Failure } from "../failure/failure.js";
import { BatchCursor } from "./batch-cursor.js";
import type { Cluster } from "./cluster.js";
import type { DecodePlace } from "./decode.js";
import type { Directory, TopicPlace } from "./directory.js";
import { type FetchedPart, fetchCall } from "./fetch.js";
import { grouped } from "./grouped.js";
import { isPassing, protocol, protocolName } from "./trouble.js";

/** From which offset of which partition. */
export interface Wanted {
  readonly partition: number;
  readonly offset: number;
}

/** What came of a partition. `cursor` walks it; where it ends at `stable`, there is no more at the moment. */
export interface Came {
  readonly place: DecodePlace;
  readonly wanted: Wanted;
  readonly cursor: BatchCursor;
  readonly stable: number;
}

/** How much may come. */
export interface FetchBounds {
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
}

const noSession = { id: 0, epoch: -1 };

/** Fetches what lies behind the end of what is in memory: once, without waiting for more. */
export class LogFetcher {
  readonly #cluster: Cluster;
  readonly #directory: Directory;

  constructor(cluster: Cluster, directory: Directory) {
    this.#cluster = cluster;
    this.#directory = directory;
  }

  /**
   * Asks the leaders of the partitions.
   *
   * @throws {Failure} POSITION_MISSING when an offset is none of the partition's any more, or the topic is gone;
   * STORE_UNAVAILABLE when a leader cannot be asked.
   */
  async fetch(topic: string, wanted: readonly Wanted[], bounds: FetchBounds): Promise<readonly Came[]> {
    const place = await this.#directory.get(topic);
    const byLeader = grouped(wanted, ({ partition }) => leaderOf(place, partition));
    const answers = await Promise.allSettled(
      [...byLeader].map(async ([broker, parts]) => this.#ask(broker, { place, parts, bounds })),
    );
    const failed = answers.find((answer) => answer.status === "rejected");
    // A leader may have changed, or the topic: the next attempt asks whom it has to.
    if (failed !== undefined) {
      await this.#directory.refresh(topic);
      throw failed.reason;
    }
    return answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
  }

  async #ask(
    broker: number,
    {
      place,
      parts,
      bounds,
    }: { readonly place: TopicPlace; readonly parts: readonly Wanted[]; readonly bounds: FetchBounds },
  ): Promise<readonly Came[]> {
    const { error, parts: answered } = await this.#cluster.request(
      broker,
      fetchCall({
        parts: parts.map(({ partition, offset }) => ({
          topicId: place.id,
          partition,
          offset,
          bytesMax: bounds.partitionBytesMax,
        })),
        session: noSession,
        waitMsMax: 0,
        bytesMin: 0,
        bytesMax: bounds.bytesMax,
      }),
    );
    if (error !== protocol.none) throw refused(error, place.kafkaTopic);
    return answered.flatMap((part) => {
      const one = parts.find(({ partition }) => partition === part.partition);
      return one === undefined ? [] : [cameOf(place, part, one)];
    });
  }
}

/** What a partition answered, or why that cannot be used. */
export function cameOf(place: TopicPlace, part: FetchedPart, wanted: Wanted): Came {
  const { topic, kafkaTopic, id, foreign, unmapped } = place;
  const where = `${kafkaTopic}/${part.partition}`;
  if (part.error === protocol.offsetOutOfRange) throw missing(where, wanted.offset, part);
  if (part.error !== protocol.none) throw refused(part.error, where);
  const decodePlace = { topic, kafkaTopic, id, partition: part.partition, foreign, unmapped };
  return { place: decodePlace, wanted, cursor: new BatchCursor(part, wanted.offset, where), stable: part.stable };
}

/** The broker that leads a partition. */
export function leaderOf({ kafkaTopic, leaders }: TopicPlace, partition: number): number {
  const leader = leaders[partition];
  if (leader !== undefined) return leader;
  throw new Failure(
    "PARTITIONS_CHANGED",
    `topic ${kafkaTopic} has ${leaders.length} partitions, and no partition ${partition}`,
  );
}

function missing(where: string, offset: number, { start }: FetchedPart): Failure {
  const what = start >= 0 ? `the log begins at ${start} or ends before` : "the log has no such offset";
  return new Failure(
    "POSITION_MISSING",
    `${where}: offset ${offset} is not there any more: ${what}. Nothing was skipped: retention or somebody removed records that were still to be read`,
    { details: { where, offset } },
  );
}

function refused(error: number, where: string): Failure {
  const code = isPassing(error) || error === protocol.unknownTopicId ? "STORE_UNAVAILABLE" : "OPTION_INVALID";
  return new Failure(code, `${where} cannot be read: ${protocolName(error)}`, { details: { error } });
}
