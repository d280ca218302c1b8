import { ByteReader, ByteWriter } from "./bytes.js";
import type { Call } from "./cluster.js";
import { grouped } from "./grouped.js";

/** A partition to fetch, from an offset. */
export interface FetchPart {
  readonly topicId: string;
  readonly partition: number;
  readonly offset: number;
  readonly bytesMax: number;
}

/** A fetch session, in which only what has changed is said again (KIP-227). Epoch 0 asks for a new one, -1 for none. */
export interface FetchSession {
  readonly id: number;
  readonly epoch: number;
}

/** What to fetch of one broker. */
export interface FetchRequest {
  readonly parts: readonly FetchPart[];
  readonly forgotten?: readonly Pick<FetchPart, "topicId" | "partition">[];
  readonly session: FetchSession;
  readonly waitMsMax: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
}

/** What a partition answered. `stable` is the end of what is committed; `records` the batches, as they came. */
export interface FetchedPart {
  readonly topicId: string;
  readonly partition: number;
  readonly error: number;
  readonly stable: number;
  readonly start: number;
  /** Transactions that were aborted among the batches, by their first offset. */
  readonly aborted: readonly { readonly producer: bigint; readonly first: number }[];
  readonly records: Buffer | undefined;
}

/** What a broker answered. */
export interface Fetched {
  readonly error: number;
  readonly session: number;
  readonly parts: readonly FetchedPart[];
}

const readCommitted = 1;

// Fetch Request (Version: 13) => replica_id max_wait_ms min_bytes max_bytes isolation_level session_id session_epoch
//     [topics] [forgotten_topics_data] rack_id TAG_BUFFER
//   topics => topic_id [partitions] TAG_BUFFER
//     partitions => partition current_leader_epoch fetch_offset last_fetched_epoch log_start_offset
//       partition_max_bytes TAG_BUFFER
//   forgotten_topics_data => topic_id [partitions] TAG_BUFFER
// Topics by id: a topic that was deleted and made anew is another one. Brokers 3.1 to 4.x take it.
/** Fetches committed records of partitions that a broker leads. */
export function fetchCall({ parts, forgotten = [], session, ...bounds }: FetchRequest): Call<Fetched> {
  return {
    key: 1,
    version: 13,
    body() {
      const writer = new ByteWriter(96 + parts.length * 60);
      writer.int32(-1);
      writer.int32(bounds.waitMsMax);
      writer.int32(bounds.bytesMin);
      writer.int32(bounds.bytesMax);
      writer.int8(readCommitted);
      writer.int32(session.id);
      writer.int32(session.epoch);
      const topics = grouped(parts, ({ topicId }) => topicId);
      writer.uvarint(topics.size + 1);
      for (const [topicId, partitions] of topics) {
        writer.uuid(topicId);
        writer.uvarint(partitions.length + 1);
        for (const { partition, offset, bytesMax } of partitions) {
          writer.int32(partition);
          writer.int32(-1);
          writer.int64(offset);
          writer.int32(-1);
          writer.int64(-1);
          writer.int32(bytesMax);
          writer.noTags();
        }
        writer.noTags();
      }
      const gone = grouped(forgotten, ({ topicId }) => topicId);
      writer.uvarint(gone.size + 1);
      for (const [topicId, partitions] of gone) {
        writer.uuid(topicId);
        writer.uvarint(partitions.length + 1);
        for (const { partition } of partitions) writer.int32(partition);
        writer.noTags();
      }
      writer.compactText("");
      writer.noTags();
      return writer.done();
    },
    parse: parseFetched,
  };
}

// Fetch Response (Version: 13) => throttle_time_ms error_code session_id [responses] TAG_BUFFER
//   responses => topic_id [partitions] TAG_BUFFER
//     partitions => partition_index error_code high_watermark last_stable_offset log_start_offset
//       [aborted_transactions] preferred_read_replica records TAG_BUFFER
//       aborted_transactions => producer_id first_offset TAG_BUFFER
function parseFetched(bytes: Buffer): Fetched {
  const reader = new ByteReader(bytes);
  reader.int32();
  const [error, session] = [reader.int16(), reader.int32()];
  const parts: FetchedPart[] = [];
  for (let topics = reader.compactLength(); topics > 0; topics -= 1) {
    const topicId = reader.uuid();
    for (let left = reader.compactLength(); left > 0; left -= 1) parts.push(parsePart(reader, topicId));
    reader.skipTags();
  }
  return { error, session, parts };
}

function parsePart(reader: ByteReader, topicId: string): FetchedPart {
  const [partition, error] = [reader.int32(), reader.int16()];
  reader.int64();
  const [stable, start] = [reader.int64(), reader.int64()];
  const aborted: { producer: bigint; first: number }[] = [];
  for (let left = reader.compactLength(); left > 0; left -= 1) {
    aborted.push({ producer: reader.bigint64(), first: reader.int64() });
    reader.skipTags();
  }
  reader.int32();
  const length = reader.compactLength();
  const records = length === 0 ? undefined : reader.bytes.subarray(reader.at, reader.at + length);
  reader.at += length;
  reader.skipTags();
  aborted.sort((a, b) => a.first - b.first);
  return { topicId, partition, error, stable, start, aborted, records };
}
