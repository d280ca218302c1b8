import type { Committer } from "../consumer/committer.js";
import type { Consumer } from "../consumer/consumer.js";
import type { Schedule } from "../consumer/schedules.js";
import type { Timers } from "../consumer/timers.js";
import type { OpenEngine } from "../engine/engine.js";
import type { Extension } from "./app.js";
import type { Builds } from "./builds.js";
import type { Isolation } from "./isolation.js";
import type { JobRunner } from "./job-runner.js";
import type { LoopWatch } from "./loop-watch.js";
import type { Publisher } from "./publisher.js";
import type { Rest } from "./rest.js";

/** What a running app is made of. */
export interface Parts {
  readonly engine: OpenEngine;
  readonly committer: Committer;
  readonly consumers: readonly Consumer[];
  readonly isolation: Isolation;
  readonly loop: LoopWatch | undefined;
  readonly timers: Timers;
  readonly schedules: readonly Schedule[];
  readonly publisher: Publisher;
  readonly rest: Rest;
  readonly jobs: JobRunner;
  readonly builds: Builds;
  readonly started: Extension[];
}
