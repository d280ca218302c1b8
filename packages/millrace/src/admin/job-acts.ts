import { Failure } from "../failure/failure.js";
import type { LaneEntry } from "../store/unit.js";
import { actOf, type Live, select } from "./acts.js";
import type { Admin } from "./admin.js";
import { problemOf } from "./contracts.js";

/** The acts on jobs. */
export type JobActs = Pick<Admin, "redriveJob" | "changeJob">;

/** How many of those that do not fit are named. */
const unfitMax = 10;

/** Acts of operators on the jobs of a running app. */
export function jobActsOf(live: Live): JobActs {
  const { operate } = live.running.engine;
  return {
    async redriveJob(args) {
      const act = actOf(live, args);
      const unfit = new Unfit(live);
      const { entries, keys } = await select(live, args, (letter) => unfit.look(letter));
      const dryRun = args.dryRun ?? false;
      const report = { dryRun, matched: entries.length, keys, unfit: unfit.first, unfitCount: unfit.count };
      if (dryRun || entries.length === 0) return { ...report, changed: 0 };
      const { selection, rate, force = false } = args;
      const made = await operate.createJob({ entries, selection, force, ...(rate === undefined ? {} : { rate }) }, act);
      await live.running.changed({ jobs: true });
      return { ...report, changed: made.changed, job: made.job };
    },
    async changeJob(args) {
      const act = actOf(live, args);
      const { job, change, dryRun = false } = args;
      const known = await live.running.engine.inspect.job(job);
      if (known === undefined) throw new Failure("NOT_FOUND", `there is no job ${job}; see millrace jobs ls`);
      const report = { dryRun, matched: known.items.pending + known.items.redriven, keys: 0, unchanged: [] };
      if (dryRun) return { ...report, changed: 0 };
      const outcome = await operate.changeJob(
        job,
        change.type === "rate" ? { type: "rate", rate: change.rate } : change,
        act,
      );
      await live.running.changed({ jobs: true });
      return { ...report, changed: outcome.changed };
    },
  };
}

/** Those whose data does not fit the contract that runs now. */
class Unfit {
  readonly first: { readonly entry: number; readonly problem: string }[] = [];
  count = 0;
  readonly #live: Live;

  constructor(live: Live) {
    this.#live = live;
  }

  look({ entry, record }: LaneEntry): void {
    const problem = problemOf(this.#live.running.contracts, record);
    if (problem === undefined) return;
    this.count += 1;
    if (this.first.length < unfitMax) this.first.push({ entry, problem });
  }
}
