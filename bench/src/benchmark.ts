import type { Figure } from "./figure.js";

/** What one round measured: numbers by name. */
export type Measured = Readonly<Record<string, number>>;

/** Where and how large a round is. */
export interface Round {
  /** A folder of this round's own, empty, removed afterwards. */
  readonly dir: string;
  /** Counts from 0; the first is the warm-up. */
  readonly number: number;
  /** Only to see whether it works: the figures mean nothing. */
  readonly tiny: boolean;
}

/** One way of doing the work, ours or plain SQLite's. Runs in a process of its own, round after round. */
export type Trial = (round: Round) => Promise<Measured>;

/** What trials measured, by the name of the trial. */
export type Medians<Trials extends Readonly<Record<string, Trial>>> = {
  readonly [Name in keyof Trials]: Awaited<ReturnType<Trials[Name]>>;
};

/** Runs trials, each in a process of its own, alternately, and gives back each one's medians. */
export interface Stage {
  readonly tiny: boolean;
  /** Some of the benchmark's trials, under their names, in the order in which they take turns. */
  alternate<Trials extends Readonly<Record<string, Trial>>>(
    trials: Trials,
    options: { readonly rounds: number },
  ): Promise<Medians<Trials>>;
}

export interface Benchmark {
  readonly trials: Readonly<Record<string, Trial>>;
  run(stage: Stage): Promise<readonly Figure[]>;
}
