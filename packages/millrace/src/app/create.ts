import type { Aggregate } from "../aggregate/aggregate.js";
import { Committer } from "../consumer/committer.js";
import { Consumer } from "../consumer/consumer.js";
import type { ConsumerHost } from "../consumer/plan.js";
import { sqlQuery } from "../consumer/statement.js";
import { Timers } from "../consumer/timers.js";
import type { EventName, Message } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { embedded } from "../embedded/embedded.js";
import type { OpenEngine } from "../engine/engine.js";
import { Failure, isFailure } from "../failure/failure.js";
import type { ProjectionRows } from "../projection/rows.js";
import { type Clock, systemClock } from "../runtime/clock.js";
import { durationMs } from "../runtime/duration.js";
import { uuidv7 } from "../runtime/ids.js";
import { type Logger, pinoLogger } from "../runtime/logger.js";
import { checkOptions } from "../runtime/options.js";
import { type Random, systemRandom } from "../runtime/random.js";
import type { Saga } from "../saga/saga.js";
import { serviceDeclaration } from "../service/declare.js";
import type { ServiceDeclaration } from "../service/service.js";
import type {
  App,
  AppOptions,
  Extension,
  Published,
  PublishManyOptions,
  PublishOptions,
  ReadDocuments,
  SendOptions,
  Sent,
  StartOptions,
} from "./app.js";
import { Builds } from "./builds.js";
import { Care } from "./care.js";
import { chosenServices } from "./chosen.js";
import { Isolation } from "./isolation.js";
import { JobRunner } from "./job-runner.js";
import { loopWatch } from "./loop-watch.js";
import { eventMemory } from "./memory.js";
import type { Parts } from "./parts.js";
import { type AppPlan, isPlain, planApp } from "./plan.js";
import { isList, Publisher } from "./publisher.js";
import { type ReadAggregate, readAggregate } from "./read-aggregate.js";
import { readDocuments } from "./read-documents.js";
import { type ReadHost, readProjection, tablesAnswering } from "./read-projection.js";
import { type ReadSaga, readSaga } from "./read-sagas.js";
import { Rest } from "./rest.js";
import { runningOf, toldOf } from "./running.js";
import { schedulesOf } from "./schedules.js";

/** An app of these services, not yet running. Extensions start after its consumers and stop before them. */
export function createApp(options: AppOptions, extensions: readonly Extension[]): App {
  return new RunningApp(options, extensions);
}

class RunningApp implements App {
  readonly closed: Promise<void>;
  readonly #options: AppOptions;
  readonly #extensions: readonly Extension[];
  readonly #services: readonly ServiceDeclaration[];
  readonly #plan: AppPlan;
  /** The services that run in this process. */
  #chosen: readonly ServiceDeclaration[] = [];
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #drainMs: number;
  #parts: Parts | undefined;
  #stopping: Promise<void> | undefined;
  #close: () => void = () => {};
  readonly #onSignal = () => {
    this.stop().catch((error) => this.#logger.error({ err: error }, "the app could not stop in order"));
  };

  constructor(options: AppOptions, extensions: readonly Extension[]) {
    this.#options = options;
    this.#extensions = extensions;
    if (!Array.isArray(options.services))
      throw new Failure("OPTION_INVALID", "services: takes a list of what service() returns");
    this.#services = options.services.map(serviceDeclaration);
    this.#plan = planApp(this.#services);
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = options.logger ?? pinoLogger();
    this.#drainMs = durationMs(options.drain ?? "10s", "drain");
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  async start(options: StartOptions = {}): Promise<void> {
    this.#chosen = chosenServices(this.#services, options);
    if (this.#parts !== undefined || this.#stopping !== undefined)
      throw new Failure("APP_STOPPED", "start: this app was started before; make a new one with millrace({ … })");
    const engine = await (this.#options.engine ?? embedded()).open({
      clock: this.#clock,
      random: this.#random,
      logger: this.#logger,
      acceptRisks: options.acceptRisks ?? [],
    });
    let parts: Parts;
    try {
      if (this.#stopping !== undefined) throw new Failure("APP_STOPPED", "start: the app was stopped while it started");
      parts = this.#assemble(engine);
    } catch (error) {
      await engine.close();
      throw error;
    }
    this.#parts = parts;
    try {
      await this.#open(parts);
      if (this.#options.signals !== false)
        for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, this.#onSignal);
      parts.builds.started();
      new Care(parts.consumers).start();
      parts.loop?.start(parts.consumers);
      await parts.timers.arm();
      parts.jobs.wake();
      const seen = { engine, plan: this.#plan, services: this.#services, clock: this.#clock, logger: this.#logger };
      const running = runningOf(seen, parts.consumers, parts);
      for (const extension of this.#extensions) {
        await extension.start(this, running);
        parts.started.push(extension);
      }
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  publish(event: Message<EventName, unknown>, options?: PublishOptions): Promise<Published>;
  publish(events: readonly Message<EventName, unknown>[], options?: PublishManyOptions): Promise<readonly Published[]>;
  publish(
    events: Message<EventName, unknown> | readonly Message<EventName, unknown>[],
    options?: PublishOptions & PublishManyOptions,
  ): Promise<Published | readonly Published[]> {
    try {
      const { publisher } = this.#live();
      return isList(events) ? publisher.publishAll(events, options) : publisher.publish(events, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async send(command: Message<string, unknown>, options: SendOptions = {}): Promise<Sent> {
    return this.#live().publisher.send(command, options);
  }

  documents<Doc>(type: DocumentType<Doc>, options: { readonly service?: string } = {}): ReadDocuments<Doc> {
    checkOptions(options, { service: true }, { where: "app.documents" });
    return readDocuments(this.#live().engine.store, this.#services, type, options.service);
  }

  projection<Row>(projection: Parameters<typeof readProjection<Row>>[0]): ProjectionRows<Row> {
    return readProjection(projection, this.#reading());
  }

  #reading(): ReadHost {
    return { services: this.#services, store: this.#live().engine.store, clock: this.#clock };
  }

  aggregate<State>(type: Aggregate<State, string>): ReadAggregate<State> {
    return readAggregate(this.#live().engine.store, this.#services, type);
  }

  saga<State, Key extends string>(saga: Saga<State, Key>): ReadSaga<State> {
    return readSaga(this.#live().engine.store, this.#services, saga);
  }

  async query(...[strings, ...values]: Parameters<App["query"]>): ReturnType<App["query"]> {
    const { text, params } = sqlQuery(...(await tablesAnswering(this.#reading(), strings, values)));
    return await this.#live().engine.store.query(text, params);
  }

  async settled(): Promise<void> {
    return this.#live().rest.reached();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #live(): Parts {
    if (this.#parts === undefined) throw new Failure("APP_STOPPED", "the app is not running; call app.start() first");
    if (this.#stopping !== undefined) throw new Failure("APP_STOPPED", "the app has stopped; nothing was stored");
    return this.#parts;
  }

  #assemble(engine: OpenEngine): Parts {
    const committer = new Committer(engine.store, this.#clock, this.#logger);
    const loop = loopWatch(this.#options, this.#logger);
    const host: ConsumerHost = {
      engine,
      slowRuns: loop?.slowRuns,
      committer,
      clock: this.#clock,
      logger: this.#logger,
      routes: this.#plan.routes,
      jitter: () => this.#random.next(),
      memory: eventMemory(this.#options.memory, this.#plan.consumers.length),
    };
    const plans = this.#plan.consumers.filter(({ service }) => this.#chosen.some(({ name }) => name === service));
    const isolation = new Isolation(host);
    const consumers = plans.filter(isPlain).map((plan) => new Consumer(isolation.plan(plan), host));
    const timers = new Timers(host);
    const schedules = schedulesOf(this.#chosen, host);
    committer.onTimers = () => void timers.arm();
    const publisher = new Publisher({
      engine,
      committer,
      clock: this.#clock,
      ids: uuidv7(this.#random),
      routes: this.#plan.routes,
    });
    const rest = new Rest(consumers, timers, schedules, committer);
    const added = (consumer: Consumer) => rest.watch(consumer);
    const views = plans.filter((plan) => !isPlain(plan));
    const builds = new Builds({ host, plans: views, consumers, drainMs: this.#drainMs, added });
    return {
      engine,
      builds,
      committer,
      consumers,
      isolation,
      loop,
      timers,
      schedules,
      publisher,
      jobs: new JobRunner({
        engine,
        clock: this.#clock,
        logger: this.#logger,
        lanesChanged: (lanes) => toldOf(consumers, { lanes }),
      }),
      rest,
      started: [],
    };
  }

  async #open({ engine, consumers, schedules, timers, jobs, builds }: Parts): Promise<void> {
    for (const topic of this.#plan.topics) await engine.log.ensureTopic(topic);
    for (const service of this.#chosen) await engine.store.migrate(service.name, service.migrations);
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
    engine.onAppended((topics) => {
      for (const consumer of consumers) consumer.appended(topics);
    });
    engine.onChanged((change) => {
      for (const consumer of consumers) void consumer.changed(change);
      if (change.timers === true) void timers.arm();
      if (change.jobs === true) jobs.wake();
      if (change.builds === true) void builds.look();
    });
    for (const schedule of schedules) await schedule.open();
  }

  async #stop(): Promise<void> {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.off(name, this.#onSignal);
    const parts = this.#parts;
    try {
      if (parts !== undefined) await this.#stopParts(parts);
    } finally {
      this.#close();
    }
  }

  /** Whatever fails on the way, the engine is closed: its file is free for the next start. */
  async #stopParts(parts: Parts): Promise<void> {
    const { started, timers, schedules, consumers, isolation, committer, publisher, rest, engine } = parts;
    parts.loop?.close();
    try {
      for (const extension of started.reverse()) await extension.stop();
    } finally {
      await parts.jobs.close();
      await parts.builds.close();
      timers.close();
      for (const schedule of schedules) schedule.close();
      await Promise.all(consumers.map((consumer) => consumer.drain(this.#drainMs)));
      await isolation.close();
      await committer.close(this.#drainMs);
      publisher.close();
      rest.close();
      await engine.close();
    }
  }
}
