import { beforeEach, describe, expect, it } from "vitest";
import type { OpenEngine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { Batch, LogRecord, ReadRequest } from "../log/log.js";
import { silentLogger } from "../runtime/logger.js";
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
    recordsMax: () => Number.POSITIVE_INFINITY,
    engine: { log } as unknown as OpenEngine,
    committer: { passed() {} } as unknown as Committer,
    clock: virtualClock(),
    logger: silentLogger,
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

describe("while a batch of a remote log is on its way", () => {
  let answers: ((batch: Batch | Promise<Batch>) => void)[];
  let clock: ReturnType<typeof virtualClock>;
  let stopped: unknown;
  let requests: ReadRequest["from"][];
  let taken: number[];
  let fetcher: Fetcher;
  beforeEach(() => {
    [answers, requests, taken, clock, stopped] = [[], [], [], virtualClock(), undefined];
    const log = {
      read: ({ from }: ReadRequest) => {
        requests.push(from);
        return new Promise<Batch>((resolve) => answers.push(resolve));
      },
    };
    fetcher = new Fetcher({
      recordsMax: () => Number.POSITIVE_INFINITY,
      engine: { log } as unknown as OpenEngine,
      committer: { passed() {} } as unknown as Committer,
      clock,
      logger: silentLogger,
      take: (_, { offset }) => void taken.push(offset),
      amend: (record) => record,
      wake: () => fetcher.next(),
      stop(error) {
        stopped = error;
      },
    });
    fetcher.open([{ topic: "steps", partitions: 1 }]);
    fetcher.take({ ...position(0), id: 1, frontier: 5 });
    fetcher.next();
  });
  const answer = async (offset: number) => {
    const records = [{ partition: 0, offset } as LogRecord];
    answers.shift()?.({ records, sizes: [100], next: [offset + 1], atEnd: true, bytes: 0 });
    for (let n = 0; n < 5; n += 1) await turn();
  };

  it("a partition that is moved back is read from where it is now", async () => {
    fetcher.drop({ ...position(0), id: 1 });
    fetcher.take({ ...position(0), id: 1, frontier: 2 });
    await answer(5);
    expect([requests, taken]).toEqual([[[5], [2]], []]);
    await answer(2);
    expect([taken, fetcher.atEnd]).toEqual([[2], true]);
  });

  const refuse = async (failure: Failure) => {
    answers.shift()?.(Promise.reject(failure));
    for (let n = 0; n < 5; n += 1) await turn();
  };

  it("a log that cannot be reached is asked again from the same place, and not at once", async () => {
    await refuse(new Failure("STORE_UNAVAILABLE", "the broker does not answer"));
    expect([requests, stopped]).toEqual([[[5]], undefined]);
    fetcher.next();
    expect(requests).toEqual([[5]]);
    await clock.advance(1_000);
    expect(requests).toEqual([[5], [5]]);
    await answer(5);
    expect(taken).toEqual([5]);
  });

  it("a position that is gone halts the consumer", async () => {
    const failure = new Failure("POSITION_MISSING", "offset 5 is not there any more");
    await refuse(failure);
    expect([stopped, taken]).toEqual([failure, []]);
  });

  it("what is appended is read, too", async () => {
    fetcher.appended(["steps"]);
    await answer(5);
    expect([requests, fetcher.atEnd]).toEqual([[[5], [6]], false]);
    await answer(6);
    expect([taken, fetcher.atEnd]).toEqual([[5, 6], true]);
  });
});
