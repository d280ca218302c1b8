import type { Committer } from "../consumer/committer.js";
import type { Consumer } from "../consumer/consumer.js";
import type { Schedule } from "../consumer/schedules.js";
import type { Timers } from "../consumer/timers.js";
import type { OpenEngine } from "../engine/engine.js";
import { isFailure } from "../failure/failure.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { Extension } from "./app.js";
import type { Builds } from "./builds.js";
import type { Care } from "./care.js";
import type { Isolation } from "./isolation.js";
import type { JobRunner } from "./job-runner.js";
import type { LoopWatch } from "./loop-watch.js";
import type { AppPlan } from "./plan.js";
import type { Publisher } from "./publisher.js";
import type { Rest } from "./rest.js";

/** What a running app is made of. */
export interface Parts {
  readonly engine: OpenEngine;
  /** Those who wait for an engine that is away are told that it is closed. */
  readonly closed: AbortController;
  readonly committer: Committer;
  readonly consumers: readonly Consumer[];
  readonly isolation: Isolation;
  readonly loop: LoopWatch | undefined;
  readonly timers: Timers;
  readonly schedules: readonly Schedule[];
  readonly publisher: Publisher;
  readonly rest: Rest;
  readonly care: Care;
  readonly jobs: JobRunner;
  readonly builds: Builds;
  readonly started: Extension[];
}

/** Makes the topics and tables, and begins with what is stored. Nothing runs yet. */
export async function openParts(
  { engine, consumers, schedules, timers, jobs, builds }: Parts,
  { topics }: AppPlan,
  chosen: readonly ServiceDeclaration[],
): Promise<void> {
  for (const topic of topics) await engine.log.ensureTopic(topic);
  for (const service of chosen) await engine.store.migrate(service.name, service.migrations);
  for (const consumer of consumers) {
    try {
      await consumer.open();
    } catch (error) {
      // The others go on: a consumer whose position is gone must not take the rest down with it.
      if (!isFailure(error, "POSITION_MISSING")) throw error;
      consumer.stop(error);
    }
  }
  await builds.open();
  engine.onAppended((grown) => {
    for (const consumer of consumers) consumer.appended(grown);
  });
  engine.onChanged((change) => {
    for (const consumer of consumers) void consumer.changed(change);
    if (change.timers === true) void timers.arm();
    if (change.jobs === true) jobs.wake();
    if (change.builds === true) void builds.look();
  });
  for (const schedule of schedules) await schedule.open();
}

/** Whatever fails on the way, the engine is closed: its file is free for the next start. */
export async function stopParts(parts: Parts, drainMs: number): Promise<void> {
  const { started, timers, schedules, consumers, isolation, committer, publisher, rest, engine } = parts;
  parts.loop?.close();
  try {
    for (const extension of started.reverse()) await extension.stop();
  } finally {
    await parts.jobs.close();
    await parts.builds.close();
    timers.close();
    for (const schedule of schedules) schedule.close();
    await Promise.all(consumers.map((consumer) => consumer.drain(drainMs)));
    await isolation.close();
    await committer.close(drainMs);
    publisher.close();
    rest.close();
    parts.closed.abort();
    await engine.close();
  }
}
