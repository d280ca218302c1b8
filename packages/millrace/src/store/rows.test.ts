import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LogRecord, NewRecord } from "../log/log.js";
import type { Range } from "../store/unit.js";
import {
  decodeAmendment,
  decodeEntry,
  decodeOperation,
  decodePosition,
  decodeRanges,
  decodeRecord,
  decodeSubscriptions,
  decodeTimer,
  encodeRanges,
  encodeRecord,
  encodeSubscriptions,
  encodeTimer,
} from "./rows.js";

const record: LogRecord = {
  topic: "orders",
  partition: 3,
  offset: 17,
  id: "a",
  source: "shop",
  type: "order.placed",
  version: 2,
  key: "k",
  time: 1,
  appended: 2,
  correlationId: "a",
  causationId: undefined,
  hops: 0,
  headers: undefined,
  data: { lines: [1, null, "é"] },
  bytes: undefined,
};

/** Steps of (gap, length) make rising ranges, also such that touch. */
const ranges = fc.array(fc.tuple(fc.nat(1_000), fc.integer({ min: 1, max: 2 ** 38 }))).map((steps) => {
  let at = 0;
  return steps.map(([gap, length]): Range => {
    const start = at + gap;
    at = start + length;
    return [start, at];
  });
});

describe("finished ranges", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(ranges, (given) => {
        expect(decodeRanges(encodeRanges(given))).toEqual(given);
      }),
    );
  });

  it.each(["x", "5", "5-", "-5", "5-5", "7-5", "1-3,2-4", "1-2,", "1.5-2", "1-2;3-4"])(
    "are refused when damaged: %s",
    (text) => expect(() => decodeRanges(text)).toThrow(expect.objectContaining({ code: "STORE_DAMAGED" })),
  );
});

describe("records of lane entries", () => {
  it("come back as they were", () => {
    expect(decodeRecord(encodeRecord(record))).toStrictEqual(record);
    const other = { ...record, causationId: "c", headers: { actor: "ann", sequence: 4 }, data: null };
    expect(decodeRecord(encodeRecord(other))).toStrictEqual(other);
  });

  it("keep bytes that nobody could decode", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        const back = decodeRecord(encodeRecord({ ...record, data: undefined, bytes }));
        expect(Uint8Array.from(back.bytes ?? [])).toEqual(bytes);
        expect(back.data).toBeUndefined();
      }),
    );
  });

  it("are refused without quoting them when damaged", () => {
    const personal = '{"name":"Ann';
    expect(() => decodeRecord(personal)).toThrow(
      expect.objectContaining({ code: "STORE_DAMAGED", message: expect.not.stringContaining("Ann") }),
    );
  });
});

describe("timers", () => {
  const timer: Omit<NewRecord, "offset"> = {
    topic: "orders",
    partition: 0,
    id: "t",
    source: "shop",
    type: "order.expired",
    version: 1,
    key: "k",
    time: 5,
    correlationId: undefined,
    causationId: "a",
    hops: 1,
    headers: undefined,
    data: '{"a":1}',
    named: false,
  };
  const row = { timer: 4, service: "shop", name: null, due: 9 };
  const nobody = { consumer: null, topic: null, partition: null, offset: null };
  const armed = { consumer: "c", topic: "t", partition: 0, offset: 7 };

  it("publish the very text they were given", () => {
    expect(decodeTimer({ ...row, ...nobody, record: encodeTimer(timer) })).toStrictEqual({
      timer: 4,
      service: "shop",
      name: undefined,
      due: 9,
      record: timer,
      armed: undefined,
    });
  });

  it("keep bytes", () => {
    const data = Uint8Array.of(0, 255, 7);
    const back = decodeTimer({ ...row, ...armed, name: "n", record: encodeTimer({ ...timer, data }) });
    expect(back.record.data).toEqual(Buffer.from(data));
    expect([back.name, back.armed]).toEqual(["n", armed]);
  });
});

describe("other rows", () => {
  it("a position has its ranges", () => {
    const row = {
      position: 1,
      consumer: "c",
      topic: "t",
      partition: 2,
      epoch: 3,
      generation: 4,
      crashes: 5,
      frontier: 6,
      finished: "8-9",
    };
    const { position, finished, ...rest } = row;
    expect(decodePosition(row)).toEqual({ ...rest, id: position, finished: [[8, 9]] });
  });

  it("a lane entry has its failure and its record", () => {
    const failure = { code: "NOT_YET", message: "m", fingerprint: "f", at: 7 };
    const row = {
      entry: 1,
      consumer: "c",
      lane: "k",
      home: 0,
      state: "dead",
      holds: 0,
      attempt: 3,
      due: 0,
      redrives: 1,
      since: 9,
      failure: JSON.stringify(failure),
      record: encodeRecord(record),
    };
    expect(decodeEntry(row)).toStrictEqual({
      ...row,
      holds: false,
      failure,
      record,
      size: row.record.length,
    });
    expect(decodeEntry({ ...row, holds: 1, failure: null })).toMatchObject({ holds: true, failure: undefined });
  });

  it("an operation says why it was refused, and only then", () => {
    const row = {
      operation: "o",
      fingerprint: null,
      command: "pay",
      key: "k",
      correlation: "o",
      refused: null,
      detail: null,
      events: null,
    };
    expect(decodeOperation({ ...row, state: "accepted", created: 1, finished: null })).toStrictEqual({
      id: "o",
      command: "pay",
      key: "k",
      correlationId: "o",
      state: "accepted",
      fingerprint: undefined,
      created: 1,
      finished: undefined,
    });
    const refused = {
      ...row,
      state: "refused",
      refused: "LIMIT",
      detail: "d",
      fingerprint: "f",
      created: 1,
      finished: 2,
    };
    expect(decodeOperation(refused)).toMatchObject({ refused: "LIMIT", detail: "d", fingerprint: "f", finished: 2 });
  });

  it("an amendment skips, or replaces with an id, data and their version", () => {
    const row = { consumer: "c", topic: "t", partition: 0, offset: 1, reason: "r", actor: "a", at: 2 };
    expect(decodeAmendment({ ...row, act: "skip", id: null, data: null, version: null })).toEqual({
      ...row,
      act: "skip",
      id: undefined,
      data: undefined,
      version: undefined,
    });
    expect(decodeAmendment({ ...row, act: "replace", id: "i", data: "{}", version: 2 })).toEqual({
      ...row,
      act: "replace",
      id: "i",
      data: "{}",
      version: 2,
    });
  });

  it("a consumer's topics leave out where they started", () => {
    const heard = { topic: "t", incarnation: "i", types: ["a", "b"] };
    expect(decodeSubscriptions(encodeSubscriptions([{ ...heard, start: [1, 2] }]))).toStrictEqual([heard]);
  });
});
