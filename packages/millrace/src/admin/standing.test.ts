import { describe, expect, it } from "vitest";
import type { ConsumerStatus } from "../app/app.js";
import type { ConsumerView } from "../store/inspect.js";
import type { LaneEntry } from "../store/unit.js";
import { type StandingFacts, standingOf } from "./standing.js";

const now = 1_000_000;
const view: ConsumerView = {
  consumer: "payments",
  service: "payments",
  topics: [],
  positions: [],
  lagRecords: 0,
  lagMs: 0,
  parked: 0,
  dead: 0,
  following: 0,
};
const status: ConsumerStatus = {
  consumer: "payments",
  state: "running",
  partitions: 1,
  resting: false,
  inFlight: 0,
  queued: 0,
  eventsBytes: 0,
  coalesced: 0,
  progressAt: now,
};
const head = {
  state: "dead",
  entry: 7,
  failure: { code: "CONTRACT_REJECTED" },
  record: { type: "order.placed", id: "e-1" },
} as LaneEntry;

function verdict(facts: Partial<StandingFacts>): string {
  const { verdict, reason } = standingOf({ view, status, head: undefined, live: true, now, ...facts });
  return `${verdict}: ${reason}`;
}

describe("a consumer's verdict", () => {
  it("is ok when it has nothing to do, or is behind by no more than usual", () => {
    expect(verdict({})).toBe("ok: caught up");
    expect(verdict({ view: { ...view, lagRecords: 100, lagMs: 900 } })).toBe("ok: caught up");
  });

  it("is blocked when a lane's head fails, and names it with those that wait", () => {
    expect(verdict({ head, view: { ...view, dead: 1, following: 2 } })).toBe(
      "blocked: dead order.placed e-1 (entry 7), CONTRACT_REJECTED; 2 events wait behind failing ones",
    );
  });

  it("is blocked when an event takes long or what its handlers depend on is down, before dead letters", () => {
    const since = Date.UTC(2026, 0, 1);
    const blocked = { event: "e-2", type: "order.placed", key: "o-2", since, how: "its handler is still running" };
    expect(verdict({ head, status: { ...status, blocked } })).toBe(
      "blocked: order.placed e-2 of key o-2, since 2026-01-01T00:00:00.000Z: its handler is still running",
    );
    const circuit = { since, code: "Error", message: "connect ECONNREFUSED" };
    expect(verdict({ head, status: { ...status, blocked, circuit } })).toBe(
      "blocked: circuit open since 2026-01-01T00:00:00.000Z: connect ECONNREFUSED",
    );
  });

  it("is stopped when it has stopped, or when the app does not have it", () => {
    const stopped = { ...status, state: "stopped" as const, failure: { code: "FENCED", message: "taken over" } };
    expect(verdict({ status: stopped })).toBe("stopped: FENCED: taken over");
    expect(verdict({ status: undefined })).toMatch(/^stopped: registered, but the running app does not declare it/);
  });

  it("is paused with who, since when and why, also when it has nothing to do", () => {
    const paused = { actor: "ann", reason: "noon", at: 0 };
    expect(verdict({ view: { ...view, paused, lagRecords: 2, parked: 1 }, head })).toBe(
      "paused: by ann since 1970-01-01T00:00:00.000Z: noon; 3 events wait",
    );
    expect(verdict({ view: { ...view, paused }, live: false })).toMatch(/^unknown/);
  });

  it("is unknown when it is behind and this process was started without its service", () => {
    const elsewhere = { status: undefined, elsewhere: true };
    expect(verdict(elsewhere)).toBe("ok: caught up");
    expect(verdict({ ...elsewhere, view: { ...view, lagRecords: 5, lagMs: 90_000 } })).toMatch(
      /^unknown: 5 events behind; this process was started without payments/,
    );
  });

  it("is slow while it moves, stalled when it has not moved for a minute", () => {
    const behind = { ...view, lagRecords: 5, lagMs: 90_000 };
    expect(verdict({ view: behind })).toBe("slow: 5 events behind");
    const still = { ...status, progressAt: now - 61_000 };
    expect(verdict({ view: behind, status: still })).toMatch(/^stalled: .* 61 s$/);
    for (const elsewhere of [{ partitions: 0 }, { partitions: 3, resting: true }])
      expect(verdict({ view: behind, status: { ...still, ...elsewhere } })).toMatch(
        /^slow: .* behind; another process has the partitions they are in$/,
      );
    expect(verdict({ view: { ...behind, lagMs: 10_000 }, status: { ...status, progressAt: now - 61_000 } })).toMatch(
      /^slow/,
    );
  });

  it("is unknown when nothing runs", () => {
    expect(verdict({ live: false, status: undefined })).toMatch(/^unknown: /);
  });
});

describe("lag", () => {
  it("is 0 without work, and unknown when there is work of unknown age", () => {
    const lag = (facts: Partial<ConsumerView>) =>
      standingOf({ view: { ...view, ...facts }, status, head: undefined, live: true, now }).lagMs;
    expect(lag({})).toBe(0);
    expect(lag({ lagRecords: 1, lagMs: 0 })).toBeUndefined();
    expect(lag({ lagRecords: 1, lagMs: 12 })).toBe(12);
  });
});
