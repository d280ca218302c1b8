import { ByteReader, ByteWriter } from "./bytes.js";
import type { Call } from "./cluster.js";
import { grouped } from "./grouped.js";

/** One record batch on its way to its partition. */
export interface ProducePart {
  readonly topic: string;
  readonly partition: number;
  readonly batch: Buffer;
}

/** What became of it. `error` is a code of the protocol, 0 when it is stored. */
export interface ProduceAnswer {
  readonly topic: string;
  readonly partition: number;
  readonly error: number;
  readonly offset: number;
  readonly message: string;
}

// Produce Request (Version: 9) => transactional_id acks timeout_ms [topic_data] TAG_BUFFER
//   topic_data => name [partition_data] TAG_BUFFER
//     partition_data => index records TAG_BUFFER
// Versions of brokers 2.4 to 4.x take it.
/** Appends batches, each as a whole, and waits until all replicas in sync have them. */
export function produceCall(parts: readonly ProducePart[], timeoutMs: number): Call<readonly ProduceAnswer[]> {
  const topics = grouped(parts, ({ topic }) => topic);
  const size = parts.reduce((sum, { batch }) => sum + batch.length + 32, 64);
  return {
    key: 0,
    version: 9,
    body() {
      const writer = new ByteWriter(size + topics.size * 260);
      writer.uvarint(0);
      writer.int16(-1);
      writer.int32(timeoutMs);
      writer.uvarint(topics.size + 1);
      for (const [topic, batches] of topics) {
        writer.compactText(topic);
        writer.uvarint(batches.length + 1);
        for (const { partition, batch } of batches) {
          writer.int32(partition);
          writer.uvarint(batch.length + 1);
          writer.raw(batch);
          writer.noTags();
        }
        writer.noTags();
      }
      writer.noTags();
      return writer.done();
    },
    parse: parseAnswers,
  };
}

// Produce Response (Version: 9) => [responses] throttle_time_ms TAG_BUFFER
//   responses => name [partition_responses] TAG_BUFFER
//     partition_responses => index error_code base_offset log_append_time_ms log_start_offset [record_errors]
//       error_message TAG_BUFFER
//       record_errors => batch_index batch_index_error_message TAG_BUFFER
function parseAnswers(bytes: Buffer): readonly ProduceAnswer[] {
  const reader = new ByteReader(bytes);
  const answers: ProduceAnswer[] = [];
  for (let topics = reader.compactLength(); topics > 0; topics -= 1) {
    const topic = reader.compactText();
    for (let left = reader.compactLength(); left > 0; left -= 1) {
      const partition = reader.int32();
      const error = reader.int16();
      const offset = reader.int64();
      reader.at += 16;
      let message = "";
      for (let errors = reader.compactLength(); errors > 0; errors -= 1) {
        reader.int32();
        message ||= reader.compactText();
        reader.skipTags();
      }
      message = reader.compactText() || message;
      reader.skipTags();
      answers.push({ topic, partition, error, offset, message });
    }
    reader.skipTags();
  }
  return answers;
}
