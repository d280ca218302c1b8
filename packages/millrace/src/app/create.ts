import type { Aggregate } from "../aggregate/aggregate.js";
import { sqlQuery } from "../consumer/statement.js";
import type { EventName, Message } from "../contract/contract.js";
import type { DocumentType } from "../contract/documents.js";
import { embedded } from "../embedded/embedded.js";
import type { Transaction } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { ProjectionRows } from "../projection/rows.js";
import { type Cancel, type Clock, systemClock } from "../runtime/clock.js";
import { durationMs } from "../runtime/duration.js";
import { type Logger, pinoLogger } from "../runtime/logger.js";
import { checkOptions, shown } from "../runtime/options.js";
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
  TransactionOutbox,
} from "./app.js";
import { assemble } from "./assemble.js";
import { chosenServices } from "./chosen.js";
import { openParts, type Parts, stopParts } from "./parts.js";
import { type AppPlan, planApp } from "./plan.js";
import { isList } from "./publisher.js";
import { type ReadAggregate, readAggregate } from "./read-aggregate.js";
import { readDocuments } from "./read-documents.js";
import { type ReadHost, readProjection, tablesAnswering } from "./read-projection.js";
import { type ReadSaga, readSaga } from "./read-sagas.js";
import { runningOf } from "./running.js";
import { transactionOutbox } from "./transaction-outbox.js";

const ignore = () => {};

/** An app of these services, not yet running. Extensions start after its consumers and stop before them. */
export function createApp(options: AppOptions, extensions: readonly Extension[]): App {
  return new RunningApp(options, extensions);
}

/** @throws {Failure} OPTION_INVALID when lines could not be written to it. */
function checkedLogger(given: Logger | undefined): Logger | undefined {
  const missing = (["debug", "info", "warn", "error", "child"] as const).filter(
    (name) => given !== undefined && typeof (given as Partial<Logger> | null)?.[name] !== "function",
  );
  if (missing.length === 0) return given;
  throw new Failure(
    "OPTION_INVALID",
    `logger: is ${shown(given)} without ${missing.join(", ")}; give a logger like pino, silentLogger for none, or leave it out`,
    { details: { option: "logger" } },
  );
}

class RunningApp implements App {
  readonly closed: Promise<void>;
  readonly #options: AppOptions;
  readonly #extensions: readonly Extension[];
  readonly #services: readonly ServiceDeclaration[];
  readonly #plan: AppPlan;
  /** That of the engine, once it is open. */
  #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #drainMs: number;
  #opening: Promise<Parts> | undefined;
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
    this.#logger = checkedLogger(options.logger) ?? pinoLogger();
    this.#drainMs = durationMs(options.drain ?? "10s", "drain");
    this.closed = new Promise((resolve) => {
      this.#close = resolve;
    });
  }

  async start(options: StartOptions = {}): Promise<void> {
    if ((this.#opening ?? this.#parts ?? this.#stopping) !== undefined)
      throw new Failure("APP_STOPPED", "start: this app was started before; make a new one with millrace({ … })");
    const chosen = chosenServices(this.#services, options);
    this.#opening = this.#open(chosen, options);
    const parts = await this.#opening.finally(() => {
      this.#opening = undefined;
    });
    try {
      this.#assertNotStopped();
      await openParts(parts, this.#plan, chosen);
      // Where the store goes on answering, a stop meanwhile has kept nothing from being opened.
      this.#assertNotStopped();
      if (this.#options.signals !== false)
        for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, this.#onSignal);
      parts.builds.started();
      parts.care.start();
      parts.loop?.start(parts.consumers);
      await parts.timers.arm();
      parts.jobs.wake();
      const { engine } = parts;
      const seen = { engine, plan: this.#plan, services: this.#services, clock: this.#clock, logger: this.#logger };
      const running = runningOf(seen, parts.consumers, parts);
      for (const extension of this.#extensions) {
        this.#assertNotStopped();
        await extension.start(this, running);
        // A stop meanwhile has not seen it.
        if (this.#stopping !== undefined) await extension.stop();
        else parts.started.push(extension);
      }
      this.#assertNotStopped();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #open(chosen: readonly ServiceDeclaration[], { acceptRisks = [] }: StartOptions): Promise<Parts> {
    const context = { clock: this.#clock, random: this.#random, logger: this.#logger, acceptRisks };
    const engine = await (this.#options.engine ?? embedded()).open(context);
    try {
      this.#assertNotStopped();
      this.#clock = engine.clock ?? this.#clock;
      const parts = assemble(engine, {
        ...{ options: this.#options, plan: this.#plan, chosen },
        ...{ clock: this.#clock, random: this.#random, logger: this.#logger, drainMs: this.#drainMs },
      });
      this.#parts = parts;
      return parts;
    } catch (error) {
      await engine.close();
      throw error;
    }
  }

  #assertNotStopped(): void {
    if (this.#stopping !== undefined) throw new Failure("APP_STOPPED", "start: the app was stopped while it started");
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

  outbox(transaction: Transaction): TransactionOutbox {
    return transactionOutbox(this.#live().publisher, transaction);
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

  async #stop(): Promise<void> {
    for (const name of ["SIGTERM", "SIGINT"] as const) process.off(name, this.#onSignal);
    await this.#opened();
    const parts = this.#parts;
    try {
      if (parts !== undefined) await stopParts(parts, this.#drainMs);
    } finally {
      this.#close();
    }
  }

  /** An engine that is being opened is closed again by the start, which sees the stop; one that hangs is not waited for longer than the drain time. */
  async #opened(): Promise<void> {
    if (this.#opening === undefined) return;
    let cancel: Cancel = () => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#clock.after(this.#drainMs, resolve);
    });
    await Promise.race([this.#opening.then(ignore, ignore), late]);
    cancel();
  }
}
