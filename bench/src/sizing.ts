/** What one machine does of each kind, at peak, and with which margin. Measured figures are those of docs/benchmarks.md. */
const assumed = {
  /** An event with its envelope, as Kafka keeps it. */
  eventBytes: 1_000,
  /** The busiest minute against the mean of the day. */
  peak: 3,
  /** How many consumers handle an event. */
  consumers: 3,
  /** Nothing is planned to be busier than this at peak. */
  load: 0.6,
  /** Units of work per second: the embedded file, and one PostgreSQL server of 16 cores (assumed: five times that of two cores). */
  embeddedUnits: 45_000,
  postgresUnits: 60_000,
  /** One process of Node with small handlers, on one core. */
  processUnits: 12_000,
  /** Bytes per second into one partition, and through one broker with three copies. */
  partitionBytes: 20e6,
  brokerBytes: 100e6,
  /** Events per second of one key: each waits for the commit before it. */
  embeddedLane: 2_000,
  postgresLane: 250,
  /** Keys, and how unevenly they are used: the n-th busiest has a share of 1 / n^skew. */
  keys: 1_000_000,
  skew: 0.8,
  /** Days that the log keeps, and copies. */
  days: 7,
  copies: 3,
} as const;

/** What a rate needs. */
export interface Sizing {
  readonly perMinute: number;
  readonly peakPerSecond: number;
  readonly engine: string;
  readonly partitions: number;
  /** The busiest partition against the mean of all. */
  readonly skewed: number;
  readonly brokers: number;
  readonly databases: number;
  readonly processes: number;
  readonly logBytes: number;
  readonly hottestPerSecond: number;
  readonly laneMax: number;
}

/** Deals keys of uneven use to partitions, as a hash does, and takes as many partitions as the busiest one needs. */
export function sizingOf(perMinute: number): Sizing {
  const { peak, consumers, load } = assumed;
  const peakPerSecond = (perMinute / 60) * peak;
  const units = peakPerSecond * consumers;
  const embedded = units <= assumed.embeddedUnits * load;
  const shares = sharesOfKeys();
  const bytes = peakPerSecond * assumed.eventBytes;
  let partitions = 12;
  let busiest = busiestShare(shares, partitions);
  // Past so many, more partitions only make a cluster slower: keys must be split, or topics.
  while (!embedded && busiest * bytes > assumed.partitionBytes && partitions < 1_536) {
    partitions *= 2;
    busiest = busiestShare(shares, partitions);
  }
  const postgresAlone = !embedded && units <= assumed.postgresUnits * load;
  const brokers = embedded || postgresAlone ? 0 : Math.max(3, Math.ceil(bytes / (assumed.brokerBytes * load)));
  const needed = (work: number, each: number) => Math.ceil(work / (each * load));
  return {
    perMinute,
    peakPerSecond,
    engine: embedded ? "embedded" : postgresAlone ? "PostgreSQL" : "Kafka + PostgreSQL",
    partitions,
    skewed: busiest * partitions,
    brokers,
    databases: embedded ? 0 : needed(units, assumed.postgresUnits),
    processes: embedded ? 1 : Math.max(2, needed(units, assumed.processUnits)),
    logBytes: perMinute * 60 * 24 * assumed.days * assumed.eventBytes * (brokers === 0 ? 1 : assumed.copies),
    hottestPerSecond: (shares[0] as number) * peakPerSecond,
    laneMax: embedded ? assumed.embeddedLane : assumed.postgresLane,
  };
}

/** The share of each key, the busiest first. */
function sharesOfKeys(): Float64Array {
  const shares = new Float64Array(assumed.keys);
  let total = 0;
  for (let n = 0; n < shares.length; n += 1) {
    shares[n] = (n + 1) ** -assumed.skew;
    total += shares[n] as number;
  }
  for (let n = 0; n < shares.length; n += 1) shares[n] = (shares[n] as number) / total;
  return shares;
}

function busiestShare(shares: Float64Array, partitions: number): number {
  const loads = new Float64Array(partitions);
  for (let n = 0; n < shares.length; n += 1) {
    // A hash that spreads: Knuth's multiplicative one, then its upper half.
    const partition = ((Math.imul(n + 1, 0x9e3779b1) >>> 8) ^ (n >>> 3)) % partitions;
    loads[partition] = (loads[partition] as number) + (shares[n] as number);
  }
  return loads.reduce((most, load) => Math.max(most, load), 0);
}

/** The table of docs/scaling.md. */
export function sizingTable(rates: readonly number[]): string {
  const sizings = rates.map(sizingOf);
  const row = (name: string, value: (sizing: Sizing) => string) => `| ${[name, ...sizings.map(value)].join(" | ")} |`;
  const number = (value: number) => value.toLocaleString("en-GB", { maximumSignificantDigits: 3 });
  return [
    row("events per minute", ({ perMinute }) => number(perMinute)),
    `|${" --- |".repeat(rates.length + 1)}`,
    row("events per second at peak", ({ peakPerSecond }) => number(peakPerSecond)),
    row("engine", ({ engine }) => engine),
    row("partitions of the busiest topic", ({ partitions }) => partitions.toLocaleString("en-GB")),
    row("its busiest partition against the mean", ({ skewed }) => `${number(skewed)} ×`),
    row("brokers", ({ brokers }) => (brokers === 0 ? "none" : number(brokers))),
    row("PostgreSQL servers of 16 cores", ({ databases }) => (databases === 0 ? "none" : number(databases))),
    row("processes (a core each)", ({ processes }) => number(processes)),
    row("log on disk, a week, all copies", ({ logBytes }) => `${number(logBytes / 1e9)} GB`),
    row("the hottest key, events per second", ({ hottestPerSecond }) => number(hottestPerSecond)),
    row(
      "one key can have",
      ({ laneMax, hottestPerSecond }) => `${number(laneMax)}${hottestPerSecond > laneMax ? ": split it" : ""}`,
    ),
  ].join("\n");
}

/** The rates that the page shows. */
export const shownRates = [1e4, 1e6, 1e8] as const;
