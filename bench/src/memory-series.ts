import { median } from "./statistics.js";

/** How the watched process stood at one second. Bytes, and counts since its start. */
export interface Sample {
  readonly second: number;
  readonly rss: number;
  readonly heapUsed: number;
  readonly external: number;
  readonly begun: number;
  readonly acknowledged: number;
  readonly counting: number;
  readonly archive: number;
  /** Most events that have waited for the paused consumer so far, whenever that was. */
  readonly lagMost: number;
}

/** When the consumer was paused, in seconds. */
export interface Pause {
  readonly from: number;
  readonly to: number;
}

/** What a run came to. MiB, but for what says otherwise. */
export interface Summary {
  readonly seconds: number;
  readonly perSecond: number;
  readonly rssBefore: number;
  readonly rssPaused: number;
  readonly rssAfter: number;
  readonly rssMost: number;
  readonly heapMost: number;
  /** Of all after the first tenth, by least squares, in MiB a minute. */
  readonly rssSlope: number;
  /** Most events that waited for the paused consumer. */
  readonly lagMost: number;
}

const mebibyte = 1024 * 1024;

/** Sums a run up; its first tenth is the warm-up. */
export function summaryOf(samples: readonly Sample[], pause: Pause): Summary {
  const last = samples.at(-1);
  if (last === undefined) throw new Error("the process said nothing");
  const warm = samples.filter(({ second }) => second > last.second / 10);
  const rssOf = (within: (second: number) => boolean): number => {
    const found = warm.filter(({ second }) => within(second)).map(({ rss }) => rss / mebibyte);
    return found.length === 0 ? 0 : median(found);
  };
  return {
    seconds: last.second,
    perSecond: last.acknowledged / last.second,
    rssBefore: rssOf((second) => second < pause.from),
    rssPaused: rssOf((second) => second >= pause.from && second < pause.to),
    rssAfter: rssOf((second) => second >= pause.to),
    rssMost: Math.max(...samples.map(({ rss }) => rss)) / mebibyte,
    heapMost: Math.max(...samples.map(({ heapUsed }) => heapUsed)) / mebibyte,
    rssSlope: slopeOf(warm.map(({ second, rss }) => [second / 60, rss / mebibyte] as const)),
    lagMost: last.lagMost,
  };
}

function slopeOf(points: readonly (readonly [number, number])[]): number {
  const mean = (of: (point: readonly [number, number]) => number) =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean((point) => point[0]), mean((point) => point[1])];
  const spread = mean((point) => (point[0] - x) ** 2);
  return spread === 0 ? 0 : mean((point) => (point[0] - x) * (point[1] - y)) / spread;
}

/** The samples as comma-separated values. */
export function csvOf(samples: readonly Sample[]): string {
  const names = ["second", "rss", "heapUsed", "external", "begun", "acknowledged", "counting", "archive"] as const;
  return [names.join(","), ...samples.map((sample) => names.map((name) => sample[name]).join(","))].join("\n");
}
