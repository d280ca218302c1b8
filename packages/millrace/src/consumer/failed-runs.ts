import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import type { Clock } from "../runtime/clock.js";
import { signal } from "../runtime/signals.js";
import type { Store } from "../store/store.js";
import type { StreamRead } from "../store/stream.js";
import type { Effects, EntryChange, NewEntry } from "../store/unit.js";
import type { Circuit } from "./circuit.js";
import { commandDied } from "./command-result.js";
import type { Lane } from "./lane.js";
import { backoffMs, type Decision, decide, waits } from "./retry.js";
import { entryFailure, type Run } from "./run.js";

const reloadsInARow = 5;
/** How often an aggregate decides, before its command has failed. */
const decisionsMax = 20;
const parkedSignal = signal("parked");

/** What failed runs need of the runs they are among. */
export interface FailedRunsHost {
  readonly consumer: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly jitter: () => number;
  readonly circuit: Circuit;
  commit(run: Run, effects: Effects): void;
  /** Under whose epoch the lane's entries run. */
  homeOf(lane: Lane): number;
  /** Gives back the run's place; its event stays at the head of its lane. */
  release(run: Run): void;
  /** Gives the lane its turn, after a while. */
  again(lane: Lane, waitMs: number): void;
  stop(error: unknown): void;
}

/** What becomes of runs that failed, or read what has changed since: again in place, parked, dead, or the consumer stops. */
export class FailedRuns {
  readonly #host: FailedRunsHost;

  constructor(host: FailedRunsHost) {
    this.#host = host;
  }

  failed(run: Run, error: unknown): void {
    const { id } = run.record;
    run.restore();
    const { retry } = run.subscription;
    // What was read may be why it failed, or what an operator has amended since: then the failure is not the event's.
    const stale = run.record.id !== id || this.#stale(run);
    const met = (is: boolean) =>
      this.#met(run, error, is ? "reload" : decide(error, run.failures + 1, run.parked, retry));
    if (stale instanceof Promise) this.#later(run, stale, met);
    else met(stale);
  }

  /** Where the store is elsewhere, the run keeps its place until it answers. One that cannot tell: nothing is known of the event. */
  #later(run: Run, stale: Promise<boolean>, met: (stale: boolean) => void): void {
    stale
      .catch(() => true)
      .then((is) => {
        if (!run.gone) met(is);
      })
      .catch((broken) => this.#host.stop(broken));
  }

  #met(run: Run, error: unknown, decision: Decision): void {
    const { retry } = run.subscription;
    if (decision !== "reload" && this.#host.circuit.failed(run, error)) {
      // A dead dependency is no fault of the event: it keeps its place and its attempts, and waits for a probe.
      this.#host.release(run);
      run.lane.reloads = 0;
      this.#host.again(run.lane, 0);
      return;
    }
    switch (decision) {
      case "reload":
        this.reload(run);
        break;
      case "stop":
        this.#host.release(run);
        this.#host.stop(error);
        break;
      case "in-place":
        this.#host.release(run);
        run.lane.reloads = 0;
        run.attempt += 1;
        run.failures += 1;
        this.#host.again(run.lane, backoffMs(run.attempt - 1, retry, this.#host.jitter()));
        break;
      case "park":
      case "dead-letter":
        this.#setAside(run, error, decision === "dead-letter");
    }
  }

  /** Moves the event out of the flow, parked or dead, in the commit that moves the position past it. */
  #setAside(run: Run, error: unknown, dead: boolean): void {
    const { record, subscription } = run;
    const now = this.#host.clock.now();
    const failure = entryFailure(error, now, waits(error) ? run.failures : run.failures + 1);
    const change: EntryChange = {
      state: dead ? "dead" : "parked",
      holds: !(dead && subscription.skipPoison),
      attempt: run.attempt,
      due: dead ? now : now + backoffMs(run.attempt, subscription.retry, this.#host.jitter()),
      failure,
    };
    const effects: Effects = run.parked ? { change } : { entry: this.#entry(run, change) };
    if (dead && subscription.contract.kind === "command") {
      const { generation, redrives } = run;
      const death = { ...failure, consumer: this.#host.consumer, generation, redrives, now };
      Object.assign(effects, commandDied(record, death));
    }
    if (parkedSignal.active) parkedSignal.publish({ consumer: this.#host.consumer, event: record.id, ...change });
    this.#host.commit(run, effects);
  }

  /** The run's event as a new entry of its lane. */
  entryOf(run: Run, change: EntryChange): NewEntry {
    run.restore();
    return this.#entry(run, change);
  }

  #entry(run: Run, change: EntryChange): NewEntry {
    const { lane, record, redrives, since } = run;
    const home = this.#host.homeOf(lane);
    return { consumer: this.#host.consumer, lane: lane.key, home, redrives, since, record, ...change };
  }

  /** Read versions that changed since: the failure may be due to what was read. */
  #stale(run: Run): boolean | Promise<boolean> {
    const { store } = this.#host;
    const answers: Promise<boolean>[] = [];
    const changed = <T>(answer: Awaitable<T>, differs: (found: T) => boolean): boolean => {
      if (!(answer instanceof Promise)) return differs(answer);
      answers.push(answer.then(differs));
      return false;
    };
    if (run.decided !== undefined) {
      const { stream } = run.decided;
      const page = store.readStream({ ...stream, after: stream.version, limit: 0 });
      if (changed(page, ({ version }) => version !== stream.version)) return true;
    }
    for (const { service, type, id, version } of run.reads)
      if (changed(store.readDocument(service, type, id), (found) => (found?.version ?? 0) !== version)) return true;
    return answers.length === 0 ? false : Promise.all(answers).then((all) => all.includes(true));
  }

  /** Other commits have overtaken the decisions of an aggregate, one after the other. */
  #overtaken(run: Run, { topic, key }: StreamRead): void {
    const text = `${topic} ${key}: its stream changed under ${decisionsMax} decisions in a row`;
    const { failures, parked, subscription } = run;
    const error = new Failure("STREAM_CONTENDED", text);
    // Setting it aside must not be refused for the same reason.
    run.forgetReads();
    this.#met(run, error, decide(error, failures + 1, parked, subscription.retry));
  }

  /** Run again on what is stored now. After five in a row the lane waits a moment, so that the others get on. */
  reload(run: Run): void {
    run.restore();
    const { lane, decided } = run;
    if (decided !== undefined && lane.reloads + 1 >= decisionsMax) {
      this.#overtaken(run, decided.stream);
      return;
    }
    this.#host.release(run);
    lane.reloads += 1;
    if (lane.reloads % reloadsInARow !== 0) {
      this.#host.again(lane, 0);
      return;
    }
    const { retry } = run.subscription;
    this.#host.again(
      lane,
      backoffMs(1 + lane.reloads / reloadsInARow, { ...retry, backoffMsFirst: 5 }, this.#host.jitter()),
    );
  }
}
