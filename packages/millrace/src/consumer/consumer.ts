import type { Change } from "../engine/engine.js";
import { Failure, isFailure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import { Amendments } from "./amendments.js";
import type { PartitionFeed } from "./feed.js";
import { Fetcher } from "./fetcher.js";
import { Leasing } from "./leasing.js";
import type { ConsumerHost, ConsumerPlan } from "./plan.js";
import { register } from "./registration.js";
import { Runs } from "./runs.js";

/**
 * Runs one consumer: fetches its topics, gives each key its lane, runs the lanes' heads side by side, and has their
 * effects committed. Everything that happens later (retry, redrive, an edited event) is a lane entry, run here too.
 */
export class Consumer {
  state: "running" | "draining" | "stopped" = "running";
  failure: Failure | undefined;
  /** When something was last committed, or there was last nothing to do (ms since the epoch). */
  progressAt: number;
  /** Told when there is nothing left to do. */
  onResting: () => void = () => {};
  readonly #plan: ConsumerPlan;
  readonly #host: ConsumerHost;
  readonly #fetcher: Fetcher;
  readonly #runs: Runs;
  readonly #leasing: Leasing;
  readonly #amendments = new Amendments();
  #woken = false;
  #opened = false;

  constructor(plan: ConsumerPlan, host: ConsumerHost) {
    this.#plan = plan;
    this.#host = host;
    this.progressAt = host.clock.now();
    const wake = () => this.#wake();
    const stop = (error: unknown) => this.stop(error);
    const progressed = () => {
      this.progressAt = host.clock.now();
      this.#leasing.progressed();
    };
    const homeAt = (home: number) => this.#fetcher.homeAt(home);
    const leaseLost = () => void this.#leasing.look();
    const fetching = () => this.#fetcher;
    this.#runs = new Runs({
      plan,
      host,
      wake,
      stop,
      progressed,
      homeAt,
      leaseLost,
      get homes() {
        return fetching().homes;
      },
    });
    const { engine, committer, clock, logger } = host;
    const take = (partition: PartitionFeed, record: LogRecord, bytes: number) => this.#take(partition, record, bytes);
    const amend = (record: LogRecord) => this.#amendments.apply(record);
    this.#fetcher = new Fetcher({ engine, committer, clock, take, amend, wake, stop });
    const { store } = engine;
    const parts = { consumer: plan.name, store, clock, logger, fetcher: this.#fetcher, runs: this.#runs, wake, stop };
    this.#leasing = new Leasing(parts);
  }

  get name(): string {
    return this.#plan.name;
  }
  /** How many partitions this process has the leases of. */
  get partitions(): number {
    return this.#fetcher.held.length;
  }
  get inFlight(): number {
    return this.#runs.inFlight;
  }
  get queued(): number {
    return this.#runs.queued;
  }
  get coalesced(): number {
    return this.#runs.coalesced;
  }
  get eventsBytes(): number {
    return this.#runs.memory.used;
  }

  /** Registers, takes the leases and loads the lanes that have entries. Nothing runs before `start`. */
  async open(): Promise<void> {
    const { engine, logger } = this.#host;
    const registration = await register(engine, this.#plan, logger);
    const positions = await engine.store.acquire(registration);
    const heard = registration.topics.filter(({ types }) => types.length > 0);
    this.#fetcher.open(heard.map(({ topic, start }) => ({ topic, partitions: start.length })));
    for (const position of positions) this.#fetcher.take(position);
    await this.#amendments.load(engine.store, this.name);
    await this.#runs.open();
    this.#opened = true;
  }

  start(): void {
    this.#wake();
    // Others may have given leases up between `open` and now, when nobody heard it here.
    void this.#leasing.look();
  }

  appended(topics: readonly string[]): void {
    this.#fetcher.appended(topics);
  }

  /** Nothing is dispatched, running, waiting for a retry or left to fetch. */
  get resting(): boolean {
    return this.state === "stopped" || this.#idle;
  }

  /** Why it stopped, if it left work undone. One that never came to its events may have missed any number of them. */
  get leftBehind(): Failure | undefined {
    return this.#opened && this.#idle ? undefined : this.failure;
  }

  get #idle(): boolean {
    return this.#fetcher.atEnd && this.#runs.resting;
  }

  /** Has stored how far it has come, past what it does not hear. */
  pass(): void {
    this.#fetcher.pass(this.state !== "stopped");
  }

  /** Looks again at lanes that an operator's act changed. */
  async lanesChanged(lanes: readonly string[]): Promise<void> {
    await this.#amendments.load(this.#host.engine.store, this.name);
    for (const key of lanes) await this.#runs.lanes.refresh(this.#runs.lanes.of(key));
  }

  /** Another process changed something that this consumer may remember. */
  async changed({ lanes, amended, leases }: Change): Promise<void> {
    if (this.state !== "running") return;
    try {
      if (amended === true) await this.#amendments.load(this.#host.engine.store, this.name);
      for (const { consumer, lane } of lanes ?? []) if (consumer === this.name) this.#runs.lanes.changed(lane);
      if (leases === true) await this.#leasing.look();
      this.#wake();
    } catch (error) {
      this.stop(error);
    }
  }

  /** Stops starting runs; resolves when those under way have ended, or were aborted after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    if (this.state === "running") this.state = "draining";
    await this.#runs.drain(drainMs);
    this.pass();
  }

  /** Halts this consumer and says why: what runs may end, nothing new starts. */
  stop(error: unknown): void {
    if (this.state === "stopped") return;
    this.failure = isFailure(error)
      ? error
      : new Failure("STORE_UNAVAILABLE", `${this.name}: the engine failed`, { cause: error });
    this.state = "stopped";
    this.#runs.lanes.clear();
    this.#fetcher.clear();
    this.#runs.memory.close();
    this.#host.logger.error(
      { consumer: this.name, code: this.failure.code, err: error },
      `${this.name} stopped: ${this.failure.message}`,
    );
    this.onResting();
  }

  #wake(): void {
    if (this.#woken || this.state !== "running") return;
    this.#woken = true;
    queueMicrotask(() => {
      this.#woken = false;
      try {
        this.#pump();
      } catch (error) {
        // What the store or the log cannot read halts this consumer, and nothing else.
        this.stop(error);
      }
    });
  }

  #pump(): void {
    if (this.state !== "running") return;
    this.#runs.startReady();
    if (this.#runs.hungry) this.#fetcher.next(this.#runs.memory.room());
    if (!this.#fetcher.atEnd) this.#runs.relieve(() => this.#fetcher.full);
    this.#runs.startReady();
    if (this.resting) {
      this.progressAt = this.#host.clock.now();
      this.onResting();
    }
  }

  #take(partition: PartitionFeed, record: LogRecord, bytes: number): void {
    if (!this.#runs.hears(record.type) || partition.isFinished(record.offset)) return;
    const amended = this.#amendments.apply(record);
    if (amended !== undefined) this.#runs.dispatch(partition, amended, bytes);
  }
}
