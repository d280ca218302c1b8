import type { EngineContext } from "../engine/engine.js";
import type { LogAdapter, OpenLog } from "../engine/halves.js";
import { Cluster } from "./cluster.js";
import { Directory } from "./directory.js";
import { LogOffsets } from "./log-offsets.js";
import { Memory } from "./memory.js";
import { Notes } from "./notes.js";
import { type KafkaLogOptions, type KafkaSettings, settingsOf } from "./options.js";
import { preflight } from "./preflight.js";
import { PartitionReader } from "./reader.js";
import { Tail } from "./tail.js";
import { Topics } from "./topics.js";
import { RecordWriter } from "./writer.js";

const lastNotesMs = 2_000;

/**
 * Kafka as the log: 3.5 to 4.x. Records are CloudEvents in binary mode, readable by any program; positions are in the
 * store beside it, and are written to Kafka for other tools to see.
 *
 * @throws {Failure} OPTION_INVALID
 * @example
 * ```ts no-run
 * import { kafkaLog } from "millrace/kafka";
 *
 * export const log = kafkaLog({ client: { bootstrapBrokers: ["kafka-1:9092", "kafka-2:9092"] } });
 * ```
 */
export function kafkaLog(options: KafkaLogOptions): LogAdapter {
  const settings = settingsOf(options);
  return { name: "kafka", open: (context) => openKafka(settings, context) };
}

async function openKafka(settings: KafkaSettings, context: EngineContext): Promise<OpenLog> {
  const { clock, logger } = context;
  // A request that waits, and a large one, keep a connection from all others: each kind of work has its own.
  const [cluster, readers, writers, tails] = [0, 1, 2, 3].map(() => new Cluster(settings, context)) as [
    Cluster,
    Cluster,
    Cluster,
    Cluster,
  ];
  const clusters = [cluster, readers, writers, tails];
  try {
    await cluster.patiently("connecting to Kafka", () => cluster.metadata([]));
  } catch (error) {
    for (const one of clusters) one.close();
    throw error;
  }
  const directory = new Directory(cluster, logger);
  const memory = new Memory(settings.bufferBytesMax);
  const tail = new Tail({ cluster: tails, directory, memory, logger });
  const reader = new PartitionReader({ cluster: readers, directory, memory, tail });
  const writer = new RecordWriter({ cluster: writers, directory, tail, clock });
  const offsets = new LogOffsets(cluster, directory);
  const topics = new Topics(cluster, directory);
  const notes = new Notes({ cluster, directory, clock, logger });
  return {
    read: (request) => reader.read(request),
    record: (at) => reader.record(at),
    append: (records) => writer.append(records),
    ends: (topic) => offsets.ends(topic),
    starts: (topic) => offsets.starts(topic),
    offsetsAt: (topic, at) => offsets.offsetsAt(topic, at),
    ensureTopic: (topic) => topics.ensure(topic),
    topics: () => topics.list(),
    onAppended: (heard) => tail.onAppended(heard),
    note: (consumer, positions) => notes.note(consumer, positions),
    preflight: (declared) => preflight(cluster, directory, declared),
    async close() {
      tails.close();
      await writer.close();
      await notes.close(lastNotesMs);
      for (const one of clusters) one.close();
    },
  };
}
