import { expect, it } from "vitest";
import type { OpenEngine } from "../engine/engine.js";
import type { LogRecord, ReadRequest } from "../log/log.js";
import type { Position } from "../store/unit.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { Committer } from "./committer.js";
import type { PartitionFeed } from "./feed.js";
import { Fetcher } from "./fetcher.js";
import type { Run } from "./run.js";

const position = (partition: number) =>
  ({ topic: "steps", partition, frontier: 0, finished: [] }) as unknown as Position;
const turn = () => new Promise<void>((done) => setImmediate(done));

it("does not ask again and again for what a full partition keeps it from, and goes on once there is room", async () => {
  const requests: ReadRequest["from"][] = [];
  const oldest = { sequence: 0 } as Run;
  let slow: PartitionFeed | undefined;
  const log = {
    read: ({ from }: ReadRequest) => {
      requests.push(from);
      const records = requests.length === 1 ? [{ partition: 0, offset: 3 } as LogRecord] : [];
      return {
        records,
        sizes: [100],
        next: from.map((offset) => (offset < 0 ? -1 : 9)),
        atEnd: requests.length > 1,
        bytes: 0,
      };
    },
  };
  const fetcher: Fetcher = new Fetcher({
    engine: { log } as unknown as OpenEngine,
    committer: { passed() {} } as unknown as Committer,
    clock: virtualClock(),
    take(partition) {
      slow = partition;
      partition.outstanding.add(oldest);
      partition.dispatched = 10_000;
    },
    amend: (record) => record,
    wake: () => fetcher.next(),
    stop(error) {
      throw error;
    },
  });
  fetcher.open([{ topic: "steps", partitions: 2 }]);
  for (const partition of [0, 1]) fetcher.take(position(partition));
  fetcher.next();
  for (let n = 0; n < 20; n += 1) await turn();
  expect(requests).toEqual([
    [0, 0],
    [-1, 9],
  ]);
  expect(fetcher.atEnd).toBe(false);
  slow?.outstanding.delete(oldest);
  fetcher.next();
  expect(requests.at(-1)).toEqual([9, 9]);
  expect(fetcher.atEnd).toBe(true);
});
