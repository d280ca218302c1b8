import { Failure } from "../failure/failure.js";

/** A length of time as people write it: `"250ms"`, `"30s"`, `"5m"`, `"12h"`, `"30d"`. */
export type Duration = `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const durationMsMax = 36_500 * unitMs.d;

/**
 * Whole milliseconds of a duration.
 *
 * @param option the option's name as the user wrote it, for the message
 * @throws {Failure} OPTION_INVALID when it is not a duration, is negative, or is longer than a hundred years.
 */
export function durationMs(value: Duration, option: string): number {
  const parts = typeof value === "string" ? /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(value) : null;
  const ms = parts === null ? Number.NaN : Math.round(Number(parts[1]) * unitMs[parts[2] as keyof typeof unitMs]);
  if (ms >= 0 && ms <= durationMsMax) return ms;
  throw new Failure(
    "OPTION_INVALID",
    `${option} is ${String(JSON.stringify(value)).slice(0, 60)}, which is not a duration; write a number and a unit (ms, s, m, h, d), like "30s", at most 36500d`,
    { details: { option } },
  );
}
