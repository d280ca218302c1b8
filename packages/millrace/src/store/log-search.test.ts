import { beforeEach, describe, expect, it } from "vitest";
import type { LogRecord, NewRecord } from "../log/log.js";
import { TrialLog } from "../testing/trial-log.js";
import type { EventQuery } from "./inspect.js";
import { findInLog, searchLog } from "./log-search.js";

let log: TrialLog;
beforeEach(() => {
  log = new TrialLog();
  for (const name of ["orders", "payments"])
    log.ensureTopic({ name, partitions: 3, owner: "shop", key: "k", retentionMs: undefined });
});

let made = 0;
/** Appends at a time; one id for each. */
async function append(at: number, ...records: Partial<NewRecord>[]): Promise<string[]> {
  log.now = at;
  const drafts = records.map((more): NewRecord => {
    made += 1;
    return {
      ...{ topic: "orders", partition: 0, id: `e${made}`, source: "shop", type: "order.placed", version: 1, key: "k" },
      ...{ time: at, correlationId: undefined, causationId: undefined, hops: 0, headers: undefined, data: "{}" },
      ...{ named: false, offset: -1 },
      ...more,
    };
  });
  await log.append(drafts);
  return drafts.map(({ id }) => id);
}
const topics = ["orders", "payments"];
const idsOf = (events: readonly LogRecord[]) => events.map(({ id }) => id);

async function all(query: EventQuery): Promise<string[]> {
  const found: string[] = [];
  let after: string | undefined;
  for (let page = 0; page < 1_000; page += 1) {
    const { events, next } = await searchLog(log, topics, { ...query, ...(after === undefined ? {} : { after }) });
    expect(events.length).toBeLessThanOrEqual(query.limit);
    found.push(...idsOf(events));
    if (next === undefined) return found;
    after = next;
  }
  throw new Error("no end");
}

describe("a search of a log that is read by partitions", () => {
  it("gives events of all topics and partitions in the order of the log's clock, both ways, whatever the page", async () => {
    const appended: string[] = [];
    for (let n = 0; n < 300; n += 1)
      appended.push(...(await append(1_000 + n, { topic: topics[n % 2] as string, partition: (n * 7) % 3 })));
    for (const limit of [1, 7, 50, 1_000]) {
      expect(await all({ limit })).toEqual(appended);
      expect(await all({ limit, newestFirst: true })).toEqual([...appended].reverse());
    }
    expect(await all({ limit: 9, since: 1_100, until: 1_120 })).toEqual(appended.slice(100, 120));
    expect(await all({ limit: 9, since: 1_100, until: 1_120, newestFirst: true })).toEqual(
      appended.slice(100, 120).reverse(),
    );
  });

  it("does not read the whole log for its newest events", async () => {
    for (let n = 0; n < 50; n += 1)
      await append(
        1_000 + n,
        ...Array.from({ length: 100 }, (_, i) => ({ partition: i % 3, data: `"${"x".repeat(1_000)}"` })),
      );
    const [last] = await append(9_000, { type: "order.paid" });
    const read = bytesRead();
    const page = await searchLog(log, topics, { limit: 1, newestFirst: true });
    expect([idsOf(page.events), read() < 200_000]).toEqual([[last], true]);
  });

  it("ends a page early rather than read more than its bound, and goes on from there", async () => {
    for (let n = 0; n < 20; n += 1) await append(n, { data: `"${"x".repeat(1_024 * 1_024)}"` });
    const [wanted] = await append(100, { type: "order.paid" });
    const read = bytesRead();
    const first = await searchLog(log, topics, { type: "order.paid", limit: 10 });
    expect([first.events, first.next !== undefined]).toEqual([[], true]);
    expect(read()).toBeLessThan(19 * 1_024 * 1_024);
    const second = await searchLog(log, topics, { type: "order.paid", limit: 10, after: first.next as string });
    expect(idsOf(second.events)).toEqual([wanted]);
  });

  it("follows what is appended, without gap or repeat, also past trimmed offsets", async () => {
    const seen: string[] = [];
    const appended: string[] = [];
    let { cursor } = await searchLog(log, topics, { limit: 10 });
    for (let n = 0; n < 40; n += 1) {
      appended.push(...(await append(n, { partition: n % 3 }, { partition: n % 2, topic: "payments" })));
      if (n % 3 !== 0) continue;
      const page = await searchLog(log, topics, { limit: 3, after: cursor });
      seen.push(...idsOf(page.events));
      ({ cursor } = page);
    }
    for (;;) {
      const page = await searchLog(log, topics, { limit: 3, after: cursor });
      seen.push(...idsOf(page.events));
      ({ cursor } = page);
      if (page.next === undefined) break;
    }
    expect([...seen].sort()).toEqual([...appended].sort());
    log.trim("orders", 0, 5);
    expect(await all({ limit: 100, topic: "orders" })).toHaveLength(40 - 5);
  });

  it("finds an event within a bound, and not beyond", async () => {
    await append(10, ...Array.from({ length: 30 }, () => ({ data: `"${"x".repeat(1_024 * 100)}"` })));
    const [wanted] = await append(20, {});
    const sought = { topics, since: 0, limit: 1, matches: ({ id }: LogRecord) => id === wanted };
    expect(idsOf(await findInLog(log, { ...sought, bytesMax: 1_024 * 1_024 }))).toEqual([]);
    expect(idsOf(await findInLog(log, { ...sought, since: 15, bytesMax: 1_024 * 1_024 }))).toEqual([wanted]);
    expect(idsOf(await findInLog(log, { ...sought, newestFirst: true, bytesMax: 1_024 * 1_024 }))).toEqual([wanted]);
    expect(idsOf(await findInLog(log, { ...sought, partition: 1, bytesMax: 1_024 * 1_024 }))).toEqual([]);
  });
});

/** Tells how many bytes the log has given since. */
function bytesRead(): () => number {
  let bytes = 0;
  const { read } = log;
  log.read = (request) => {
    const batch = read.call(log, request);
    bytes += batch.bytes;
    return batch;
  };
  return () => bytes;
}
