import { Background } from "../consumer/background.js";
import { Committer } from "../consumer/committer.js";
import { Consumer } from "../consumer/consumer.js";
import { patientEngine } from "../consumer/patient-engine.js";
import type { ConsumerHost } from "../consumer/plan.js";
import { Timers } from "../consumer/timers.js";
import type { OpenEngine } from "../engine/engine.js";
import type { Clock } from "../runtime/clock.js";
import { uuidv7 } from "../runtime/ids.js";
import type { Logger } from "../runtime/logger.js";
import type { Random } from "../runtime/random.js";
import type { ServiceDeclaration } from "../service/service.js";
import type { AppOptions } from "./app.js";
import { Builds } from "./builds.js";
import { Care } from "./care.js";
import { Isolation } from "./isolation.js";
import { JobRunner } from "./job-runner.js";
import { loopWatch } from "./loop-watch.js";
import { eventMemory } from "./memory.js";
import type { Parts } from "./parts.js";
import { type AppPlan, isPlain } from "./plan.js";
import { Publisher } from "./publisher.js";
import { Rest } from "./rest.js";
import { toldOf } from "./running.js";
import { schedulesOf } from "./schedules.js";

/** What an app is put together of. */
export interface Assembly {
  readonly options: AppOptions;
  readonly plan: AppPlan;
  /** The services that run in this process. */
  readonly chosen: readonly ServiceDeclaration[];
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly drainMs: number;
}

/** The parts of a running app, none of them begun. */
export function assemble(engine: OpenEngine, assembly: Assembly): Parts {
  const { options, plan, chosen, clock, random, logger, drainMs } = assembly;
  const committer = new Committer(engine.store, clock, logger);
  const loop = loopWatch(options, logger);
  const closed = new AbortController();
  const host: ConsumerHost = {
    engine: patientEngine(engine, { clock, logger, over: closed.signal }),
    slowRuns: loop?.slowRuns,
    committer,
    background: new Background(clock, committer),
    clock,
    logger,
    routes: plan.routes,
    jitter: () => random.next(),
    memory: eventMemory(options.memory, plan.consumers.length),
  };
  const plans = plan.consumers.filter(({ service }) => chosen.some(({ name }) => name === service));
  const isolation = new Isolation(host);
  const consumers = plans.filter(isPlain).map((one) => new Consumer(isolation.plan(one), host));
  const timers = new Timers(host);
  const schedules = schedulesOf(chosen, host);
  committer.onTimers = () => void timers.arm();
  const publisher = new Publisher({ engine, committer, clock, ids: uuidv7(random), routes: plan.routes });
  const rest = new Rest({ consumers, timers, schedules, committer, engine });
  const care = new Care(consumers);
  const views = plans.filter((one) => !isPlain(one));
  const added = (consumer: Consumer) => {
    rest.watch(consumer);
    care.watch(consumer);
  };
  const opened = () => care.look();
  const builds = new Builds({ host, plans: views, consumers, drainMs, added, opened });
  const lanesChanged: ConstructorParameters<typeof JobRunner>[0]["lanesChanged"] = (lanes) =>
    toldOf(consumers, { lanes });
  const jobs = new JobRunner({ engine, clock, logger, lanesChanged });
  return {
    ...{
      engine,
      closed,
      builds,
      committer,
      consumers,
      isolation,
      loop,
      timers,
      schedules,
      publisher,
      jobs,
      rest,
      care,
    },
    started: [],
  };
}
