import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { Awaitable, Batch, LogReader, LogRecord, LogWriter, NewRecord, TopicShape } from "../../log/log.js";
import { draft, checkedShape as shape } from "./log-drafts.js";
import { type Check, type ConformanceCase, type Exceptions, type Opened, suite } from "./suite.js";
import { assertRising } from "./units.js";

/** A topic as a log knows it: owner and retention are known to those that keep declarations, too. */
type KnownTopic = Pick<TopicShape, "name" | "partitions" | "incarnation"> & Partial<TopicShape>;

/** The ports of a log, as the suite uses them. */
interface Log extends LogReader, LogWriter {
  ensureTopic(topic: Omit<TopicShape, "incarnation">): Awaitable<KnownTopic>;
  topics(): Awaitable<readonly KnownTopic[]>;
}

/** A log that holds nothing yet. */
export interface LogUnderTest extends Opened {
  readonly log: Log;
  /** Closes it, and opens what it has stored anew; `log` is the new one from then on. */
  reopen(): Promise<void>;
}

/**
 * The promises of the log port: every adapter passes these.
 *
 * @param exceptions what the adapter cannot promise, by the name of the case, with the reason
 * @example
 * ```ts no-check
 * for (const { name, run } of logConformance(openMyLog)) it(name, run);
 * ```
 */
export function logConformance(
  open: () => Promise<LogUnderTest>,
  exceptions: Exceptions = {},
): readonly ConformanceCase[] {
  return suite(checks, open, exceptions);
}

const everything = { topic: "orders", recordsMax: 10_000, bytesMax: 100_000_000 };
const fromStart = { ...everything, from: [0, 0, 0] };

/** Follows `next` to the end, and checks on the way that batches are bounded and lose or repeat nothing. */
async function readAll(log: Log, request: { recordsMax: number; from: readonly number[]; bytesMax?: number }) {
  const records: LogRecord[] = [];
  let from = request.from;
  for (let turns = 0; turns < 10_000; turns += 1) {
    const batch: Batch = await log.read({ ...everything, ...request, from });
    records.push(...batch.records);
    for (const [partition, next] of batch.next.entries())
      ok(next >= (from[partition] as number), "next never goes back");
    from = batch.next;
    if (batch.atEnd) return records;
  }
  throw new Error("the reader never came to the end");
}

const idsOf = (records: readonly { readonly id: string }[]) => records.map((record) => record.id);
const inPartition = <T extends { readonly partition: number }>(records: readonly T[], partition: number) =>
  records.filter((record) => record.partition === partition);

const checks: Readonly<Record<string, Check<LogUnderTest>>> = {
  "gives back every attribute of a record as it was appended": async ({ log }) => {
    await log.ensureTopic(shape);
    const root = draft(1);
    const caused = draft(2, {
      correlationId: "c",
      causationId: "b",
      hops: 4,
      version: 7,
      headers: { actor: "ann", traceparent: "00-1-2-01", tracestate: "a=b", sequence: 9 },
    });
    await log.append([root, caused]);
    const [first, second] = (await log.read(fromStart)).records;
    const common = { topic: "orders", source: "shop", type: "order.placed", bytes: undefined };
    ok((first?.appended ?? 0) > 0 || first?.appended === 0);
    deepEqual(
      { ...first, appended: 0, offset: 0 },
      {
        ...common,
        ...{ partition: 1, offset: 0, id: root.id, version: 1, key: "key-1", time: root.time, appended: 0, hops: 0 },
        ...{ correlationId: root.id, causationId: undefined, headers: undefined, data: JSON.parse(String(root.data)) },
      },
    );
    deepEqual(
      { ...second, appended: 0, offset: 0 },
      {
        ...common,
        ...{
          partition: 2,
          offset: 0,
          id: caused.id,
          version: 7,
          key: "key-2",
          time: caused.time,
          appended: 0,
          hops: 4,
        },
        ...{ correlationId: "c", causationId: "b", headers: caused.headers, data: JSON.parse(String(caused.data)) },
      },
    );
  },

  "sets the offsets of what it appends, rising within each partition": async ({ log }) => {
    await log.ensureTopic(shape);
    const drafts = Array.from({ length: 60 }, (_, n) => draft(n % 3));
    for (let at = 0; at < 60; at += 20) await log.append(drafts.slice(at, at + 20));
    for (const partition of [0, 1, 2]) {
      const stored = inPartition(await readAll(log, { recordsMax: 1_000, from: [0, 0, 0] }), partition);
      const sent = inPartition(drafts, partition);
      deepEqual(idsOf(stored), idsOf(sent));
      deepEqual(
        stored.map((record) => record.offset),
        sent.map((record) => record.offset),
      );
      assertRising(stored.map((record) => record.offset));
    }
  },

  "reads each partition from the offset asked for, and those not wanted not at all": async ({ log }) => {
    await log.ensureTopic(shape);
    const drafts = Array.from({ length: 30 }, (_, n) => draft(n % 3));
    await log.append(drafts);
    const [zero, one] = [inPartition(drafts, 0), inPartition(drafts, 1)];
    const from = [(zero[4] as NewRecord).offset, (one[9] as NewRecord).offset + 1, -1];
    const batch = await log.read({ ...everything, from });
    deepEqual(idsOf(batch.records), idsOf(zero.slice(4)));
    equal(batch.next[2], -1);
    equal(batch.atEnd, true);
  },

  "bounds its batches by records and by bytes, and following them reads everything once": async ({ log }) => {
    await log.ensureTopic(shape);
    const drafts = Array.from({ length: 300 }, (_, n) => draft(n % 3, { data: JSON.stringify("x".repeat(1_000)) }));
    for (let at = 0; at < 300; at += 7) await log.append(drafts.slice(at, at + 7));
    for (const bound of [{ recordsMax: 1 }, { recordsMax: 10 }, { recordsMax: 1_000, bytesMax: 4_000 }]) {
      const first = await log.read({ ...everything, from: [0, 0, 0], ...bound });
      ok(
        first.records.length >= 1 && first.records.length < 100,
        `${first.records.length} records for ${JSON.stringify(bound)}`,
      );
      const all = await readAll(log, { from: [0, 0, 0], ...bound });
      for (const partition of [0, 1, 2])
        deepEqual(idsOf(inPartition(all, partition)), idsOf(inPartition(drafts, partition)));
    }
  },

  "says where each partition starts and ends, and an empty one starts at its end": async ({ log }) => {
    await log.ensureTopic(shape);
    deepEqual(await log.starts("orders"), await log.ends("orders"));
    const drafts = [draft(0), draft(0), draft(2)];
    await log.append(drafts);
    const ends = await log.ends("orders");
    for (const record of drafts) ok((ends[record.partition] as number) > record.offset);
    const batch = await log.read({ ...everything, from: ends });
    deepEqual([batch.records, batch.atEnd], [[], true]);
    await log.append([draft(0)]);
    equal((await log.read({ ...everything, from: ends })).records.length, 1);
  },

  "keeps ids, keys and sources of any characters": async ({ log }) => {
    await log.ensureTopic(shape);
    const nasty = ['"', "\\", "'; DROP TABLE x; --", "],[", "é€😀", "a\tb", "\u2028", "null", "0", " "];
    const drafts = nasty.map((text, n) => draft(n % 3, { id: `id ${text}`, key: text, source: `from ${text}` }));
    await log.append(drafts);
    const stored = await readAll(log, { recordsMax: 1_000, from: [0, 0, 0] });
    for (const { id, key, source } of drafts)
      ok(
        stored.some((record) => record.id === id && record.key === key && record.source === source),
        `lost ${id}`,
      );
  },

  "decodes foreign bytes that are JSON, and keeps those that are not": async ({ log }) => {
    await log.ensureTopic(shape);
    const utf8 = (text: string) => new TextEncoder().encode(text);
    const pretty = JSON.stringify({ a: ["b\nc", 1.5, null] }, undefined, 2);
    const json = [draft(0, { data: utf8('{"a":1}') }), draft(0, { data: utf8(pretty) }), draft(0, { data: "7" })];
    const raw = [Uint8Array.of(0xff, 0x00), utf8("{no json"), utf8("]],[["), new Uint8Array(0)];
    const drafts = [...json, ...raw.map((data) => draft(0, { data })), draft(0, { data: "{no json either" })];
    await log.append(drafts);
    const stored = await readAll(log, { recordsMax: 1_000, from: [0, 0, 0] });
    deepEqual(idsOf(stored), idsOf(drafts));
    deepEqual(
      stored.slice(0, 3).map((record) => [record.data, record.bytes]),
      [
        [{ a: 1 }, undefined],
        [JSON.parse(pretty), undefined],
        [7, undefined],
      ],
    );
    stored.slice(3, 7).forEach((record, index) => {
      deepEqual([record.data, [...(record.bytes ?? [])]], [undefined, [...(raw[index] as Uint8Array)]]);
    });
    equal(new TextDecoder().decode(stored[7]?.bytes), "{no json either");
  },

  "takes a repeated identity for the first one, and refuses it with other content": async ({ log }) => {
    await log.ensureTopic(shape);
    const first = draft(0, { id: "mine" });
    await log.append([draft(0), first, draft(0)]);
    const again = { ...first, offset: -1 };
    await log.append([again]);
    equal(again.offset, first.offset);
    const other = { ...first, offset: -1, data: '{"n":"other"}' };
    const innocent = draft(0);
    await rejects(
      async () => log.append([innocent, other]),
      (error) => isFailure(error, "EVENT_ID_REUSED"),
    );
    // Another source may use the same id.
    await log.append([{ ...other, source: "elsewhere" }]);
    const stored = await readAll(log, { recordsMax: 1_000, from: [0, 0, 0] });
    equal(stored.length, 4);
    ok(!idsOf(stored).includes(innocent.id), "what was refused leaves nothing behind");
  },

  "follows a topic's owner and retention": async ({ log }) => {
    await log.ensureTopic(shape);
    await log.ensureTopic({ ...shape, owner: "other", retentionMs: 5_000 });
    deepEqual(
      (await log.topics()).map(({ name, owner, retentionMs }) => [name, owner, retentionMs]),
      [["orders", "other", 5_000]],
    );
  },

  "knows a topic again, and refuses another partition count": async ({ log }) => {
    const first = await log.ensureTopic(shape);
    const again = await log.ensureTopic(shape);
    equal(again.incarnation, first.incarnation);
    deepEqual(
      (await log.topics()).map(({ name, partitions, incarnation }) => [name, partitions, incarnation]),
      [["orders", 3, first.incarnation]],
    );
    await rejects(
      async () => log.ensureTopic({ ...shape, partitions: 4 }),
      (error) => isFailure(error, "PARTITIONS_CHANGED"),
    );
    const second = await log.ensureTopic({ ...shape, name: "payments" });
    ok(second.incarnation !== first.incarnation);
  },

  "gives any one record by its place, and nothing where none is": async (adapter) => {
    await adapter.log.ensureTopic(shape);
    const drafts = Array.from({ length: 40 }, (_, n) => draft(n % 3));
    await adapter.log.append(drafts);
    const end = Math.max(...(await adapter.log.ends("orders")));
    await adapter.reopen();
    const { log } = adapter;
    const stored = await readAll(log, { recordsMax: 1_000, from: [0, 0, 0] });
    equal(stored.length, 40);
    for (const record of stored) {
      deepEqual(await log.record(record), record);
      const { topic, offset } = record;
      const elsewhere = await log.record({ topic, partition: (record.partition + 1) % 3, offset });
      ok(elsewhere?.id !== record.id, "a record is in one partition");
    }
    for (const partition of [0, 1, 2]) equal(await log.record({ topic: "orders", partition, offset: end }), undefined);
  },

  "holds what it has acknowledged when it is opened again, and goes on behind it": async (adapter) => {
    await adapter.log.ensureTopic(shape);
    const drafts = Array.from({ length: 40 }, (_, n) => draft(n % 3));
    await adapter.log.append(drafts);
    const [before] = await adapter.log.topics();
    const ends = await adapter.log.ends("orders");
    await adapter.reopen();
    const { log } = adapter;
    deepEqual((await log.topics())[0], before);
    deepEqual(await log.ends("orders"), ends);
    const later = draft(1);
    await log.append([later]);
    const stored = await readAll(log, { recordsMax: 1_000, from: [0, 0, 0] });
    for (const partition of [0, 1, 2])
      deepEqual(idsOf(inPartition(stored, partition)), idsOf(inPartition([...drafts, later], partition)));
  },
};
