import { describe, expect, it } from "vitest";
import { problemsOf } from "./check.js";
import type { ConsumerStanding } from "./standing.js";

const well: ConsumerStanding = {
  consumer: "well",
  service: "well",
  verdict: "ok",
  reason: "caught up",
  lagMs: 0,
  lagRecords: 0,
  parked: 0,
  dead: 0,
  following: 0,
  inFlight: 0,
  topics: [],
  positions: [],
};
const thresholds = { lagMs: 30_000, deadLetters: 0 };
const sentences = (...standings: Partial<ConsumerStanding>[]) =>
  problemsOf(
    standings.map((one) => ({ ...well, ...one })),
    thresholds,
  ).map(({ exceeded, sentence }) => `${exceeded ? "!" : "-"} ${sentence}`);

describe("a check", () => {
  it("finds nothing wrong with consumers within the thresholds", () => {
    expect(sentences({}, { verdict: "slow", lagMs: 30_000, lagRecords: 5 })).toEqual([]);
  });

  it("names the first cause first, in one sentence each", () => {
    expect(
      sentences(
        { consumer: "late", verdict: "slow", lagMs: 31_000, lagRecords: 7 },
        { consumer: "halted", verdict: "stopped", reason: "FENCED: taken over" },
        { consumer: "waits", verdict: "paused", reason: "by ann: noon; 0 events wait" },
        { consumer: "stuck", verdict: "blocked", reason: "dead order.placed e-1 (entry 7), Error", dead: 2 },
        { consumer: "tries", verdict: "blocked", reason: "parked order.placed e-2 (entry 8), Error" },
        { consumer: "still", verdict: "stalled", reason: "has work and made no progress for 70 s", lagMs: 70_000 },
      ),
    ).toEqual([
      "! stuck is blocked by dead order.placed e-1 (entry 7), Error; 2 dead letters, 0 allowed",
      "! halted has stopped: FENCED: taken over",
      "! still stands still: it has work and made no progress for 70 s; 70 s behind, 30 s allowed",
      "! late is behind by 7 events; 31 s behind, 30 s allowed",
      "- tries is blocked by parked order.placed e-2 (entry 8), Error",
      "- waits is paused by ann: noon; 0 events wait",
    ]);
  });

  it("holds a paused consumer's lag against the threshold, too", () => {
    expect(sentences({ verdict: "paused", reason: "by ann: noon; 3 events wait", lagMs: 60_000 })).toEqual([
      "! well is paused by ann: noon; 3 events wait; 60 s behind, 30 s allowed",
    ]);
  });
});
