import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";
import { actsOf } from "./acts.js";
import { jobActsOf } from "./job-acts.js";

afterEach(endTrials);

const many = 12_000;
const rolls = topic("rolls", {
  key: "key",
  events: { rolled: event("roll.rolled", z.object({ key: z.string(), n: z.int() })) },
});

it("a job, and a skip, take as many dead letters as there are", { timeout: 60_000 }, async () => {
  const till = service("till").on(rolls.rolled, { from: "beginning" }, () => {
    throw new Failure("EVENT_REJECTED", "no such till");
  });
  const t = await trial([service("host").owns(rolls), till]);
  for (let n = 0; n < many; n += 1_000)
    await t.app.publish(Array.from({ length: 1_000 }, (_, i) => rolls.rolled({ key: `k${n + i}`, n: 1 })));
  await t.rest();
  const live = { app: t.app, running: t.running };
  const args = { all: true, selection: "--all", reason: "mended", actor: "ann" };
  const report = await jobActsOf(live).redriveJob(args);
  expect(report).toMatchObject({ matched: many, keys: many, changed: many, unfitCount: 0 });
  const job = await t.running.engine.inspect.job(report.job ?? 0);
  expect(Object.values(job?.items ?? {}).reduce((sum, n) => sum + n, 0)).toBe(many);
  await t.running.engine.operate.changeJob(report.job ?? 0, { type: "cancel" }, { ...args, at: 1 });
  await t.rest();
  const skipped = await actsOf(live).skip({ all: true, reason: "gone", actor: "ann" });
  expect(skipped).toMatchObject({ matched: many, changed: many });
  expect(await t.entries()).toEqual([]);
});
