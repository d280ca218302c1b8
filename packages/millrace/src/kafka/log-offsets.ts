import type { Cluster } from "./cluster.js";
import type { Directory } from "./directory.js";

/** Timestamps that mean an end of a partition. */
const latest = -1n;
const earliest = -2n;
const readCommitted = 1;

/** Finds offsets: the ends of partitions, and those of a moment. */
export class LogOffsets {
  readonly #cluster: Cluster;
  readonly #directory: Directory;

  constructor(cluster: Cluster, directory: Directory) {
    this.#cluster = cluster;
    this.#directory = directory;
  }

  ends(topic: string): Promise<readonly number[]> {
    return this.#list(topic, latest);
  }

  starts(topic: string): Promise<readonly number[]> {
    return this.#list(topic, earliest);
  }

  async offsetsAt(topic: string, at: number): Promise<readonly number[]> {
    const found = await this.#list(topic, BigInt(Math.max(0, Math.ceil(at))));
    if (!found.includes(-1)) return found;
    const ends = await this.ends(topic);
    return found.map((offset, partition) => (offset < 0 ? (ends[partition] as number) : offset));
  }

  #list(topic: string, timestamp: bigint): Promise<readonly number[]> {
    return this.#cluster.patiently(`looking up offsets of ${topic}`, async () => {
      const { kafkaTopic, leaders } = await this.#directory.get(topic);
      const partitions = leaders.map((_, partitionIndex) => ({ partitionIndex, timestamp }));
      const [listed] = await this.#cluster.administer((admin) =>
        admin.listOffsets({ topics: [{ name: kafkaTopic, partitions }], isolationLevel: readCommitted }),
      );
      const offsets: number[] = leaders.map(() => -1);
      for (const { partitionIndex, offset } of listed?.partitions ?? []) offsets[partitionIndex] = Number(offset);
      return offsets;
    });
  }
}
