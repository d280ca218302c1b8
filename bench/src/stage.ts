import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Measured, Medians, Round, Stage, Trial } from "./benchmark.js";
import { type Child, openChild } from "./child.js";
import { median } from "./statistics.js";

export interface StageOptions {
  readonly benchmark: string;
  readonly tiny: boolean;
  readonly profileDir: string | undefined;
  /** Told what is going on, for people who wait. */
  readonly progress: (text: string) => void;
}

/** Other programs had the processors for at most this share of a calm round. */
const waitedShareCalm = 0.03;

/** A round of every trial. */
interface Taken {
  readonly measured: Readonly<Record<string, Measured>>;
  /** The largest share of its time that one of them waited for a processor. */
  readonly waitedShare: number;
}

/** Where one benchmark runs: its processes and its folder, both gone when `close` has returned. */
export class TemporaryStage implements Stage {
  readonly tiny: boolean;
  readonly #options: StageOptions;
  readonly #root: string;
  readonly #open = new Map<string, Child>();
  readonly #remove = () => rmSync(this.#root, { recursive: true, force: true });
  #folders = 0;

  constructor(options: StageOptions) {
    this.tiny = options.tiny;
    this.#options = options;
    this.#root = mkdtempSync(join(tmpdir(), `millrace-bench-${options.benchmark}-`));
    process.once("exit", this.#remove);
  }

  /**
   * A warm-up round, then rounds in which the trials take turns: what disturbs the machine for a while disturbs all
   * alike. Rounds that other programs disturbed are made up for, up to half as many again; the calmest count.
   */
  async alternate<Trials extends Readonly<Record<string, Trial>>>(
    trials: Trials,
    { rounds }: { readonly rounds: number },
  ): Promise<Medians<Trials>> {
    const { benchmark, progress } = this.#options;
    const wanted = this.tiny ? 1 : rounds;
    for (const name of Object.keys(trials)) await this.#start(name);
    await this.#round(0);
    const taken: Taken[] = [];
    const calm = () => taken.filter(({ waitedShare }) => waitedShare <= waitedShareCalm).length;
    while (taken.length < wanted || (!this.tiny && calm() < wanted && taken.length < 1.5 * wanted))
      taken.push(await this.#round(taken.length + 1));
    await this.#end();
    const counted = taken.toSorted((a, b) => a.waitedShare - b.waitedShare).slice(0, wanted);
    const worst = Math.max(...counted.map(({ waitedShare }) => waitedShare));
    progress(
      `${benchmark}: the ${wanted} calmest of ${taken.length} rounds count; they waited up to ${percent(worst)} of their time`,
    );
    const names = Object.keys(trials);
    return Object.fromEntries(
      names.map((name) => [name, medians(counted.map(({ measured }) => measured[name] ?? {}))]),
    ) as Medians<Trials>;
  }

  async close(): Promise<void> {
    await this.#end();
    process.off("exit", this.#remove);
    this.#remove();
  }

  async #start(trial: string): Promise<void> {
    const { benchmark, profileDir } = this.#options;
    const profiling =
      profileDir === undefined
        ? []
        : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`, `--cpu-prof-name=${benchmark}-${trial}.cpuprofile`];
    this.#open.set(trial, await openChild("./trial-process.js", { args: [benchmark, trial], nodeArgs: profiling }));
  }

  async #round(number: number): Promise<Taken> {
    const measured: Record<string, Measured> = {};
    let waitedShare = 0;
    for (const [name, child] of this.#open) {
      const dir = this.#folder();
      const round: Round = { dir, number, tiny: this.tiny };
      const result = (await child.ask(round)) as { readonly measured: Measured; readonly waitedShare: number };
      rmSync(dir, { recursive: true });
      measured[name] = result.measured;
      waitedShare = Math.max(waitedShare, result.waitedShare);
      this.#options.progress(
        `${this.#options.benchmark} ${name}, round ${number}: ${described(result.measured)}; waited ${percent(result.waitedShare)}`,
      );
    }
    return { measured, waitedShare };
  }

  async #end(): Promise<void> {
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const child of open) await child.close();
  }

  #folder(): string {
    this.#folders += 1;
    const dir = join(this.#root, String(this.#folders));
    mkdirSync(dir);
    return dir;
  }
}

function medians(results: readonly Measured[]): Measured {
  const names = Object.keys(results[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, median(results.map((result) => result[name] ?? Number.NaN))]));
}

function described(measured: Measured): string {
  return Object.entries(measured)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(", ");
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
