import type { FailureCode } from "../failure/codes.js";
import { isFailure, verdictOf } from "../failure/failure.js";
import type { RetryPlan } from "./plan.js";

/** What becomes of a failed run. */
export type Decision = "reload" | "in-place" | "park" | "dead-letter" | "stop";

/**
 * Decides by the failure's verdict and how many runs have failed, this one included. Waiting for something that will come (a cause that has not
 * arrived, a newer program, a store with space) is no fault of the event: it never becomes a dead letter that way.
 */
export function decide(error: unknown, failures: number, parked: boolean, retry: RetryPlan): Decision {
  const verdict = verdictOf(error);
  if (verdict !== "retry") return verdict;
  if (waits(error)) return "park";
  if (failures >= retry.attemptsMax) return "dead-letter";
  return !parked && failures < retry.attemptsInPlace ? "in-place" : "park";
}

/** A failure that brings the event nearer to being a dead letter: not one that waits, and not one that is final anyway. */
export function countsAsAttempt(error: unknown): boolean {
  return verdictOf(error) === "retry" && !waits(error);
}

/** Whether a run ended only to wait: it is no failure of its event, and is not counted as one. */
export function waits(error: unknown): boolean {
  return isFailure(error) && waiting.has(error.code);
}

const waiting: ReadonlySet<FailureCode> = new Set([
  "NOT_YET",
  "CONTRACT_NEWER",
  "STORE_UNAVAILABLE",
  "STORE_FULL",
  "LOG_UNAVAILABLE",
]);

/** Exponential backoff with full jitter on its upper half: between half and all of first × 2^(attempt − 1), bounded. */
export function backoffMs(attempt: number, retry: RetryPlan, jitter: number): number {
  const full = Math.min(retry.backoffMsMax, retry.backoffMsFirst * 2 ** Math.min(attempt - 1, 30));
  return Math.ceil(full / 2 + (full / 2) * jitter);
}
