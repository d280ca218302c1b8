import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { Position } from "../../store/unit.js";
import { act, later, letters, type OperatorsUnderTest } from "./operators-scene.js";
import type { Check } from "./suite.js";
import { committed, unitOf } from "./units.js";

const ids = (count: number) => Array.from({ length: count }, (_, n) => `e${String(n).padStart(2, "0")}`);
const asked = (entries: readonly number[]) => ({ entries, selection: "all", force: false });
const counts = async ({ inspect }: OperatorsUnderTest, job: number) => {
  const { items } = (await inspect.job(job)) ?? {};
  return Object.fromEntries(Object.entries(items ?? {}).filter(([, n]) => n > 0));
};

/** Lets the redriven entries end: those of `dies` die again. */
async function run(on: OperatorsUnderTest, position: Position, dies: (entry: number) => boolean = () => false) {
  for (const { entry, attempt, redrives } of await on.inspect.entries({ state: "parked", limit: 1_000 })) {
    const claim = { type: "lane-entry", position, entry, attempt, redrives } as const;
    const failure = { code: "EVENT_REJECTED", message: "no", fingerprint: "abc", at: 5 };
    const change = { state: "dead", holds: true, attempt: 1, due: 0, failure } as const;
    await committed(on.store, unitOf(claim, dies(entry) ? { change } : {}));
  }
}

/** Bulk work of operators. */
export const jobChecks: Readonly<Record<string, Check<OperatorsUnderTest>>> = {
  "a job climbs a ladder of lanes, each step when the one before has ended": async (on) => {
    const { entries, position } = await letters(on, ids(30));
    const { job, changed } = await on.operate.createJob(asked(entries), act);
    equal(changed, 30);
    equal((await on.operate.createJob(asked(entries), act)).job, job);
    const started: number[] = [];
    for (let turn = 0; turn < 8; turn += 1) {
      const { lanes } = await on.operate.advanceJobs(act.at + turn);
      if (lanes.length > 0) started.push(lanes.length);
      await run(on, position);
    }
    deepEqual(started, [1, 5, 20, 4]);
    const done = await on.inspect.job(job);
    deepEqual([done?.state, done?.step, done?.steps, done?.items.succeeded], ["done", 4, 4, 30]);
    equal(await on.store.dueJobs(), undefined);
    equal((await on.inspect.jobs(10)).length, 1);
  },

  "any number of processes may move jobs on: each entry has one run": async (on) => {
    const { entries, position } = await letters(on, ids(12));
    const { job } = await on.operate.createJob(asked(entries), act);
    for (let turn = 0; turn < 6; turn += 1) {
      await Promise.all([1, 2, 3, 4].map(async () => on.operate.advanceJobs(act.at + turn)));
      for (const entry of await on.inspect.entries({ state: "parked", limit: 100 })) equal(entry.redrives, 1);
      await run(on, position);
    }
    deepEqual(await counts(on, job), { succeeded: 12 });
  },

  "a job pauses when more than one in twenty of a step die again, and goes on when it is resumed": async (on) => {
    const { entries, position } = await letters(on, ids(8));
    const { job } = await on.operate.createJob(asked(entries), act);
    await on.operate.advanceJobs(act.at);
    await run(on, position, (entry) => entry === entries[0]);
    await on.operate.advanceJobs(act.at + 1);
    const paused = await on.inspect.job(job);
    deepEqual([paused?.state, paused?.note], ["paused", "1 of 1 in step 1 of the ladder died again"]);
    const [died] = await on.inspect.jobItems(job, { state: "died", limit: 10 });
    deepEqual([died?.entry, died?.step, died?.detail], [entries[0], 1, "EVENT_REJECTED: no"]);
    equal((await on.operate.changeJob(job, { type: "resume" }, later(1))).changed, 1);
    equal((await on.operate.changeJob(job, { type: "resume" }, later(2))).changed, 0);
    for (let turn = 2; turn < 6; turn += 1) {
      await on.operate.advanceJobs(act.at + turn);
      await run(on, position);
    }
    deepEqual(await counts(on, job), { succeeded: 7, died: 1 });
  },

  "a job is not faster than its rate": async (on) => {
    const { entries, position } = await letters(on, ids(6));
    await on.operate.createJob({ ...asked(entries), rate: 1 }, act);
    const started: number[] = [];
    for (const ms of [0, 500, 1_000, 1_500, 4_000]) {
      started.push((await on.operate.advanceJobs(act.at + ms)).lanes.length);
      await run(on, position);
    }
    deepEqual(started, [1, 0, 1, 0, 3]);
    const due = await on.store.dueJobs();
    ok(due !== undefined && due.at <= act.at + 5_000);
  },

  "a job leaves alone what another one has, and what was redriven in vain so often, unless it is forced": async (
    on,
  ) => {
    const { entries, position } = await letters(on, ["a", "b"]);
    const first = await on.operate.createJob(asked([entries[0]!]), act);
    const second = await on.operate.createJob(asked(entries), later(1));
    deepEqual(await counts(on, second.job), { pending: 1, skipped: 1 });
    const [left] = await on.inspect.jobItems(second.job, { state: "skipped", limit: 10 });
    deepEqual([left?.entry, left?.detail], [entries[0], `job ${first.job} has it`]);
    await on.operate.changeJob(first.job, { type: "cancel" }, act);
    await on.operate.changeJob(second.job, { type: "cancel" }, act);
    for (let n = 0; n < 3; n += 1) {
      const { job } = await on.operate.createJob(asked([entries[0]!]), later(10 + n));
      await on.operate.advanceJobs(act.at);
      await run(on, position, () => true);
      await on.operate.advanceJobs(act.at);
      deepEqual(await counts(on, job), { died: 1 });
    }
    const refused = await on.operate.createJob(asked([entries[0]!]), later(20));
    deepEqual(await counts(on, refused.job), { skipped: 1 });
    const forced = await on.operate.createJob({ ...asked([entries[0]!]), force: true }, later(21));
    deepEqual(await counts(on, forced.job), { pending: 1 });
  },

  "an entry that somebody else has dealt with is gone from its job": async (on) => {
    const { entries } = await letters(on, ["a", "b"]);
    const { job } = await on.operate.createJob(asked(entries), act);
    await on.operate.skip([entries[0]!], act);
    await on.operate.redrive([entries[1]!], act);
    await on.operate.advanceJobs(act.at);
    deepEqual(await counts(on, job), { gone: 2 });
    await on.operate.advanceJobs(act.at);
    equal((await on.inspect.job(job))?.state, "done");
  },

  "a job that is over cannot be changed": async (on) => {
    const { entries } = await letters(on, ["a"]);
    const { job } = await on.operate.createJob(asked(entries), act);
    equal((await on.operate.changeJob(job, { type: "rate", rate: 5 }, act)).changed, 1);
    equal((await on.inspect.job(job))?.rate, 5);
    equal((await on.operate.changeJob(job, { type: "cancel" }, act)).changed, 1);
    equal((await on.operate.changeJob(job, { type: "cancel" }, act)).changed, 0);
    deepEqual(await counts(on, job), { skipped: 1 });
    const resume = (of: number) => async () => on.operate.changeJob(of, { type: "resume" }, act);
    await rejects(resume(job), (error) => isFailure(error, "CONFLICT"));
    await rejects(resume(99_999), (error) => isFailure(error, "NOT_FOUND"));
  },
};
