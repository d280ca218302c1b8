import type { Change } from "../engine/engine.js";
import { Failure, isFailure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import type { Pause } from "../store/unit.js";
import { Amendments } from "./amendments.js";
import { Circuit, type OpenCircuit } from "./circuit.js";
import { Fetcher } from "./fetcher.js";
import { Leasing } from "./leasing.js";
import { Looks } from "./looks.js";
import type { ConsumerHost, ConsumerPlan } from "./plan.js";
import { Recovery } from "./recovery.js";
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
  /** Told when its events are to run one at a time, or need not any more; while it is held, also when nothing of it runs. */
  onTurned: () => void = () => {};
  readonly #plan: ConsumerPlan;
  readonly #host: ConsumerHost;
  readonly #fetcher: Fetcher;
  readonly #runs: Runs;
  readonly #leasing: Leasing;
  readonly #amendments = new Amendments();
  readonly #circuit: Circuit;
  readonly #watchdog: Watchdog;
  readonly #recovery: Recovery;
  readonly #looks: Looks;
  #started = false;
  #paused: Pause | undefined;
  #held = false;
  #woken = false;
  #opened = false;

  constructor(plan: ConsumerPlan, host: ConsumerHost) {
    this.#plan = plan;
    this.#host = host;
    this.progressAt = host.clock.now();
    const [wake, stop] = [() => this.#wake(), (error: unknown) => this.stop(error)];
    const progressed = () => {
      this.progressAt = host.clock.now();
      this.#leasing.progressed();
    };
    const amend = (record: LogRecord) => this.#amendments.apply(record);
    const leaseLost = () => void (this.state === "running" && this.#looks.add(this.#leasing.look()));
    const fetching = () => this.#fetcher;
    const { engine, committer, clock, logger } = host;
    this.#looks = new Looks(clock, stop);
    const amended = () => this.#looks.add(this.#amendments.load(engine.store, plan.name));
    this.#circuit = new Circuit({ consumer: plan.name, clock, logger, wake });
    this.#runs = new Runs({
      plan,
      host,
      circuit: this.#circuit,
      wake,
      stop,
      progressed,
      emptied: () => {
        if (this.#held) this.onTurned();
      },
      leaseLost,
      amend,
      amended,
      heard: (record, effects) => this.#amendments.heard(record, effects),
      get feeds() {
        return fetching();
      },
    });
    this.#watchdog = new Watchdog({
      consumer: plan.name,
      clock,
      logger,
      partitions: () => this.#fetcher.partitions,
      longest: () => this.#runs.load.watch.longest,
      // An open circuit says for itself why nothing is done.
      busy: () => !this.#runs.resting && this.circuit === undefined,
    });
    const take: Runs["take"] = (partition, record, bytes) => this.#runs.take(partition, record, bytes);
    const recordsMax = () => (plan.batch === undefined ? Number.POSITIVE_INFINITY : host.background.eventsMax);
    this.#fetcher = new Fetcher({ engine, committer, clock, logger, recordsMax, take, amend, wake, stop });
    const { lanes, alone } = this.#runs;
    const turned = () => this.#turned();
    const parts = { plan, engine, clock, logger, lanes, alone, turned, stop };
    this.#recovery = new Recovery({
      ...parts,
      partitions: () => this.#fetcher.partitions,
      homeAmong: (positions, home) => this.#fetcher.homeAmong(positions, home),
      lookAgain: () => void this.#runs.open().then(wake, stop),
    });
    this.#leasing = new Leasing({
      consumer: plan.name,
      store: engine.store,
      clock,
      logger,
      fetcher: this.#fetcher,
      runs: this.#runs,
      recovery: this.#recovery,
      wake,
      stop: (error) => this.#looks.failed(error),
      amended,
    });
  }

  get name(): string {
    return this.#plan.name;
  }
  /** How many partitions this process has the leases of. */
  get partitions(): number {
    return this.#fetcher.held.length;
  }
  get inFlight(): number {
    return this.#runs.load.inFlight;
  }
  /** Handlers at work in this thread. */
  get underWay(): readonly Run[] {
    return [...this.#runs.load.watch].filter((run) => run.subscription.isolate === undefined);
  }
  get queued(): number {
    return this.#runs.queued;
  }
  get coalesced(): number {
    return this.#runs.load.coalesced;
  }
  get eventsBytes(): number {
    return this.#runs.load.memory.used;
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
    const heard = registration.topics.filter(({ types }) => types.length > 0);
    this.#fetcher.open(heard.map(({ topic, start }) => ({ topic, partitions: start.length })));
    await this.#leasing.take(positions);
    this.#paused = await engine.store.readPause(this.name);
    this.#opened = true;
  }

  /** Events run one at a time from now on, or side by side again. */
  #turned(): void {
    const { active } = this.#runs.alone;
    this.#circuit.watches = !active;
    this.onTurned();
    this.#wake();
  }

  /** Its events run one at a time, so that it shows which of them kills the process: nothing else should run meanwhile. */
  get careful(): boolean {
    return this.state === "running" && this.#runs.alone.active && this.#paused === undefined;
  }

  /** Starts no handlers while it is held: another consumer's events run alone in this process. */
  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    if (!held) this.#wake();
  }

  /** Nothing runs before; also what is appended meanwhile waits. */
  start(): void {
    this.#started = true;
    this.#wake();
    // What others did between `open` and now, nobody heard here: leases, entries, amendments, pauses.
    void this.changed({ lanes: "all", amended: true, pauses: true, leases: true });
  }

  appended(topics: readonly string[]): void {
    this.#fetcher.appended(topics);
  }

  /** Nothing is dispatched, running, waiting for a retry or left to fetch; or it is paused, and nothing runs. */
  get resting(): boolean {
    if (this.#paused !== undefined && this.#runs.load.inFlight === 0 && !this.#runs.resting) return true;
    return this.state === "stopped" || this.#idle;
  }
  /** Why it stopped, if it left work undone. One that never came to its events may have missed any number of them. */
  get leftBehind(): Failure | undefined {
    if (this.#opened && this.#idle) return undefined;
    if (this.failure !== undefined || this.#paused === undefined) return this.failure;
    return new Failure("CONSUMER_PAUSED", `${this.name} is paused by ${this.#paused.actor}: ${this.#paused.reason}`);
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
  changed(change: Change): Promise<void> {
    // One that is not registered yet would take itself for forgotten. It looks at everything when it starts.
    if (this.state !== "running" || !this.#opened) return Promise.resolve();
    return this.#looks.add(this.#look(change));
  }

  async #look({ lanes, amended, pauses, leases }: Change): Promise<void> {
    try {
      if (amended === true) await this.#amendments.load(this.#host.engine.store, this.name);
      await this.#runs.lanesChanged(lanes ?? []);
      if (pauses === true) {
        this.#paused = await this.#host.engine.store.readPause(this.name);
        this.onTurned();
      }
      if (leases === true) await this.#leasing.look();
      this.#wake();
    } catch (error) {
      this.#looks.failed(error);
    }
  }

  /** Stops starting runs; resolves when those under way have ended, or were aborted after `drainMs`. */
  async drain(drainMs: number): Promise<void> {
    if (this.state === "running") this.state = "draining";
    this.#circuit.close();
    this.#watchdog.close();
    this.#recovery.close();
    this.onTurned();
    await this.#looks.over(this.#runs.drain(drainMs), drainMs);
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
    this.#runs.load.memory.close();
    this.#host.logger.error(
      { consumer: this.name, code: this.failure.code, err: error },
      `${this.name} stopped: ${this.failure.message}`,
    );
    this.#recovery.close();
    this.onTurned();
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
    const goes = this.#paused === undefined && !this.#held;
    if (goes) this.#runs.startReady(true);
    else this.#runs.pause();
    if (this.#runs.hungry) this.#fetcher.next(this.#runs.load.memory.room());
    if (!this.#fetcher.atEnd) this.#runs.relieve(() => this.#fetcher.full);
    if (goes) this.#runs.startReady(this.#fetcher.reading);
    if (this.#paused === undefined) this.#recovery.look();
    if (this.resting) {
      this.progressAt = this.#host.clock.now();
      this.onResting();
    } else this.#watchdog.arm();
  }
}
