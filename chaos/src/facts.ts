import { join } from "node:path";
import { type Ack, acksIn, runsIn, troublesIn } from "./record.js";

// What there is to audit: what the processes wrote down outside, and what the ground says, read by programs of our own:
// nothing of the product is asked whether it did well.

/** An event as the log holds it. */
export interface Logged {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly id: string;
  readonly type: string;
  readonly key: string;
  readonly appended: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** What a consumer has applied, in the order of the commits. */
export interface Applied {
  readonly consumer: string;
  readonly topic: string;
  readonly key: string;
  readonly id: string;
}

/** An event in a lane. */
export interface Entry {
  readonly consumer: string;
  readonly lane: string;
  readonly state: string;
  readonly holds: boolean;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** How far a consumer is in a partition. */
export interface Place {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly frontier: number;
  readonly finished: readonly (readonly [start: number, end: number])[];
}

export interface Tally {
  readonly id: string;
  readonly count: number;
  readonly hash: number;
  readonly last: string;
}

/** What only this kind of ground can break. */
export interface Oddity {
  readonly invariant: "I1" | "I2" | "I3" | "I4" | "I6";
  readonly what: string;
  readonly counted?: "lost" | "duplicated" | "reordered";
}

/** What the ground says. */
export interface StoredFacts {
  /** Each event once: where the log may hold copies, the first of them. */
  readonly log: readonly Logged[];
  /** How many records of the log are copies of others, which is allowed where a relay repeats itself. */
  readonly copies: number;
  readonly applied: readonly Applied[];
  readonly entries: readonly Entry[];
  readonly places: readonly Place[];
  readonly tallies: readonly Tally[];
  readonly accounts: readonly { readonly key: string; readonly pence: number }[];
  readonly timers: number;
  readonly operations: ReadonlyMap<string, string>;
  readonly oddities: readonly Oddity[];
}

/** All there is to audit. */
export interface Facts extends StoredFacts {
  readonly acks: readonly Ack[];
  /** By consumer and id: the idempotency keys that its runs had. */
  readonly runs: ReadonlyMap<string, ReadonlySet<string>>;
  /** Consumers that stopped by themselves: no kill may bring that about. */
  readonly stops: readonly string[];
}

/** With what the drivers of so many slots wrote down. */
export function withRecords(stored: StoredFacts, dir: string, slots: number): Facts {
  const numbers = Array.from({ length: slots }, (_, slot) => slot);
  return {
    ...stored,
    acks: numbers.flatMap((slot) => [...acksIn(join(dir, `acks-${slot}.log`))]),
    runs: runsOf(numbers.map((slot) => join(dir, `runs-${slot}.log`))),
    stops: numbers.flatMap((slot) => stopsIn(join(dir, `log-${slot}.log`))),
  };
}

function runsOf(files: readonly string[]): ReadonlyMap<string, ReadonlySet<string>> {
  const runs = new Map<string, Set<string>>();
  for (const file of files)
    for (const { consumer, id, idempotencyKey } of runsIn(file)) {
      const keys = runs.get(`${consumer} ${id}`);
      if (keys === undefined) runs.set(`${consumer} ${id}`, new Set([idempotencyKey]));
      else keys.add(idempotencyKey);
    }
  return runs;
}

function stopsIn(file: string): readonly string[] {
  return (
    [...troublesIn(file)]
      // One that asks the owner something while its app stops, as it was told to, says so too.
      .filter(({ level, text }) => level === "error" && / stopped: /.test(text) && !/ APP_STOPPED /.test(text))
      .map(({ text }) => text)
  );
}

/** What waits in lanes, in words: all but what is dead, or behind a dead letter that holds it. */
export function waitingIn(entries: readonly Entry[]): readonly string[] {
  const dead = new Set(entries.filter(({ state, holds }) => state === "dead" && holds).map(laneOf));
  return entries
    .filter((entry) => entry.state !== "dead" && !dead.has(laneOf(entry)))
    .map(
      ({ consumer, lane, state, topic, partition, offset }) =>
        `${consumer}: ${topic} ${partition}/${offset} is ${state} in ${lane}`,
    );
}

/** What consumers have not come to yet, in words. `last`: the last offset of each partition, by topic/partition. */
export function pendingIn(places: readonly Place[], last: ReadonlyMap<string, number>): readonly string[] {
  return places.flatMap(({ consumer, topic, partition, frontier }) => {
    const end = last.get(`${topic}/${partition}`) ?? -1;
    return frontier > end ? [] : [`${consumer} is at ${frontier} of ${topic}/${partition}, which ends at ${end}`];
  });
}

/** Finished ranges as the stores write them: `3-7,9-10`. */
export function rangesOf(text: string): Place["finished"] {
  if (text === "") return [];
  return text.split(",").map((range) => range.split("-").map(Number) as [number, number]);
}

/** The lane of an entry, among all consumers. */
export function laneOf({ consumer, lane }: Pick<Entry, "consumer" | "lane">): string {
  return `${consumer} ${lane}`;
}
