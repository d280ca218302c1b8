import { Failure, isFailure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import { Amendments } from "./amendments.js";
import { Circuit, type OpenCircuit } from "./circuit.js";
import type { PartitionFeed } from "./feed.js";
import { Fetcher } from "./fetcher.js";
import type { ConsumerHost, ConsumerPlan } from "./plan.js";
import { Recovery, suspectsOf } from "./recovery.js";
import { register } from "./registration.js";
import type { Run } from "./run.js";
import { Runs } from "./runs.js";
import { type Blocked, Watchdog } from "./watchdog.js";

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
  /** Told when its events need not run one at a time any more. */
  onCalm: () => void = () => {};
  readonly #plan: ConsumerPlan;
  readonly #host: ConsumerHost;
  readonly #fetcher: Fetcher;
  readonly #runs: Runs;
  readonly #amendments = new Amendments();
  readonly #circuit: Circuit;
  readonly #watchdog: Watchdog;
  #recovery: Recovery | undefined;
  #started = false;
  #woken = false;

  constructor(plan: ConsumerPlan, host: ConsumerHost) {
    this.#plan = plan;
    this.#host = host;
    this.progressAt = host.clock.now();
    const wake = () => this.#wake();
    const stop = (error: unknown) => this.stop(error);
    const progressed = () => {
      this.progressAt = host.clock.now();
    };
    const { engine, committer, clock, logger } = host;
    this.#circuit = new Circuit({ consumer: plan.name, clock, logger, wake });
    this.#runs = new Runs({ plan, host, circuit: this.#circuit, wake, stop, progressed });
    this.#watchdog = new Watchdog({
      consumer: plan.name,
      clock,
      logger,
      partitions: () => this.#fetcher.partitions,
      longest: () => this.#runs.watch.longest,
      // An open circuit says for itself why nothing is done.
      busy: () => !this.#runs.resting && this.circuit === undefined,
    });
    const take = (partition: PartitionFeed, record: LogRecord) => this.#take(partition, record);
    const amend = (record: LogRecord) => this.#amendments.apply(record);
    this.#fetcher = new Fetcher({ engine, committer, clock, take, amend, wake, stop });
  }

  get name(): string {
    return this.#plan.name;
  }
  get inFlight(): number {
    return this.#runs.inFlight;
  }
  /** Handlers at work in this thread. */
  get underWay(): readonly Run[] {
    return [...this.#runs.watch].filter((run) => run.subscription.isolate === undefined);
  }
  get queued(): number {
    return this.#runs.queued;
  }

  /** Set while it pauses, because what it depends on seems to be down. */
  get circuit(): OpenCircuit | undefined {
    return this.#circuit.open;
  }

  /** The event that holds others up, when one does. */
  get blocked(): Blocked | undefined {
    return this.state === "stopped" ? undefined : this.#watchdog.blocked;
  }

  /** Registers, takes the leases and loads the lanes that have entries. Nothing runs before `start`. */
  async open(): Promise<void> {
    const { engine, logger } = this.#host;
    const registration = await register(engine, this.#plan, logger);
    const positions = await engine.store.acquire(registration);
    this.#fetcher.open(
      registration.topics.map(({ topic }) => topic),
      positions,
    );
    await this.#amendments.load(engine.store, this.name);
    await this.#recover();
    await this.#runs.open(this.#fetcher.home);
  }

  async #recover(): Promise<void> {
    const { engine, logger } = this.#host;
    const { alone, lanes } = this.#runs;
    const { home, partitions } = this.#fetcher;
    const suspects = await suspectsOf({ plan: this.#plan, host: this.#host, home, partitions });
    if (suspects === undefined) return;
    const calmed = () => {
      alone.active = false;
      this.#circuit.watches = true;
      this.onCalm();
      this.#wake();
    };
    const recovery = new Recovery(
      {
        consumer: this.name,
        store: engine.store,
        logger,
        lanes,
        partitions,
        announced: () => alone.announced,
        calmed,
        stop: (error) => this.stop(error),
      },
      suspects,
    );
    alone.active = recovery.alone;
    this.#circuit.watches = !recovery.alone;
    alone.onSlow = () => recovery.calm();
    this.#recovery = recovery;
  }

  /** Its events run one at a time, so that it shows which of them kills the process: nothing else should run meanwhile. */
  get careful(): boolean {
    return this.state === "running" && this.#runs.alone.active;
  }

  /** Gives its partitions back: whoever takes them next takes them from nobody. */
  async release(): Promise<void> {
    await this.#host.engine.store.release(this.#fetcher.partitions.map((partition) => partition.position));
  }

  /** Nothing runs before; also what is appended meanwhile waits. */
  start(): void {
    this.#started = true;
    this.#wake();
  }

  appended(topics: readonly string[]): void {
    this.#fetcher.appended(topics);
  }

  /** Nothing is dispatched, running, waiting for a retry or left to fetch. */
  get resting(): boolean {
    return this.state === "stopped" || (this.#fetcher.atEnd && this.#runs.resting);
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

  /** Stops starting runs; resolves when those under way have ended, or were aborted after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    if (this.state === "running") this.state = "draining";
    this.#circuit.close();
    this.#watchdog.close();
    this.onCalm();
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
    this.#host.logger.error(
      { consumer: this.name, code: this.failure.code, err: error },
      `${this.name} stopped: ${this.failure.message}`,
    );
    this.onCalm();
    this.onResting();
  }

  #wake(): void {
    if (this.#woken || !this.#started || this.state !== "running") return;
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
    if (this.#runs.hungry) this.#fetcher.next();
    this.#runs.startReady();
    if (this.#recovery?.look() === true) this.#recovery = undefined;
    if (this.resting) {
      this.progressAt = this.#host.clock.now();
      this.onResting();
    } else this.#watchdog.arm();
  }

  #take(partition: PartitionFeed, record: LogRecord): void {
    if (!this.#runs.hears(record.type) || partition.isFinished(record.offset)) return;
    const amended = this.#amendments.apply(record);
    if (amended !== undefined) this.#runs.dispatch(partition, amended);
  }
}
