import { Cron } from "croner";
import type { Message } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";
import type { Cancel } from "../runtime/clock.js";
import { deriveId, seedOf } from "../runtime/ids.js";
import { recordOf } from "./outgoing.js";
import type { ConsumerHost } from "./plan.js";
import { commitOne, lookMs } from "./timers.js";

/** A schedule of a service, as declared. */
export interface SchedulePlan {
  readonly service: string;
  readonly name: string;
  readonly cron: string;
  readonly timezone: string;
  readonly missed: "last" | "all";
  readonly make: (tick: Date) => Message<string, unknown>;
}

/** Publishes one message per tick: the tick's claim is the row that says which one comes next. */
export class Schedule {
  readonly #plan: SchedulePlan;
  readonly #host: ConsumerHost;
  readonly #cron: Cron;
  #cancel: Cancel | undefined;
  #next: number | undefined;
  #closed = false;
  /** Told when its last due tick is stored. */
  onResting: () => void = () => {};

  constructor(plan: SchedulePlan, host: ConsumerHost) {
    this.#plan = plan;
    this.#host = host;
    const where = `${plan.service}: schedule ${plan.name}`;
    if (plan.missed !== "last" && plan.missed !== "all")
      throw new Failure("OPTION_INVALID", `${where}: missed is "last" or "all", not ${JSON.stringify(plan.missed)}`);
    try {
      this.#cron = new Cron(plan.cron, { timezone: plan.timezone, paused: true });
      this.#cron.nextRun(new Date(host.clock.now()));
    } catch (cause) {
      throw new Failure(
        "OPTION_INVALID",
        `${where}: cron "${plan.cron}" in ${plan.timezone} is not understood; use five or six fields and an IANA zone`,
        { cause },
      );
    }
  }

  /** As the store knows it. */
  get #rule(): string {
    return `${this.#plan.cron} ${this.#plan.timezone}`;
  }

  async open(): Promise<void> {
    const { service, name } = this.#plan;
    const row = await this.#host.engine.store.ensureSchedule({
      service,
      schedule: name,
      cron: this.#rule,
      next: this.#after(this.#host.clock.now()),
    });
    this.#next = row.next;
    this.#arm();
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  /** True while a tick is due and not yet stored. */
  get resting(): boolean {
    return this.#next === undefined || this.#next > this.#host.clock.now();
  }

  #arm(): void {
    if (this.#next === undefined || this.#closed) return;
    const waitMs = this.#next - this.#host.clock.now();
    this.#sleep(Math.min(Math.max(0, waitMs), lookMs));
  }

  #sleep(ms: number): void {
    this.#cancel?.();
    if (!this.#closed) this.#cancel = this.#host.clock.after(ms, () => void this.#tick());
  }

  async #tick(): Promise<void> {
    const { service, name, missed } = this.#plan;
    const tick = this.#next;
    const now = this.#host.clock.now();
    // Never early, whatever was done to the clock while we slept.
    if (tick === undefined || tick > now) return this.#arm();
    const fired = missed === "all" ? tick : this.#lastBefore(tick, now);
    const next = this.#after(fired);
    try {
      const message = this.#plan.make(new Date(fired));
      const id = deriveId({ source: service, id: name, time: fired }, seedOf(service, name, fired), 0);
      const origin = {
        id,
        time: now,
        source: service,
        correlationId: undefined,
        causationId: undefined,
        hops: 0,
        headers: undefined,
        named: false,
      };
      const record = recordOf(message, this.#host.routes, origin);
      const claim = { type: "tick" as const, service, schedule: name, tick, next };
      const outcome = await commitOne(this.#host.committer, claim, record);
      if (outcome.type === "failed") throw outcome.error;
      // This process's clock is ahead of the store's.
      if (outcome.type === "held") return this.#sleep(lookMs);
      this.#next = outcome.type === "already" ? await this.#stored(next) : next;
      this.#arm();
      if (this.resting) this.onResting();
    } catch (error) {
      this.#host.logger.error(
        { service, schedule: name, err: error },
        `${service}: schedule ${name} could not make its message; it stays due`,
      );
      this.#sleep(lookMs);
    }
  }

  /**
   * Another process was faster. It may have seen an earlier time than this one, and be gone by now: what it stored says
   * which tick comes next. Not so when it runs by another rule.
   */
  async #stored(next: number | undefined): Promise<number | undefined> {
    const { service, name } = this.#plan;
    const row = (await this.#host.engine.inspect.schedules()).find(
      (one) => one.service === service && one.schedule === name && one.cron === this.#rule,
    );
    return row === undefined ? next : row.next;
  }

  #after(ms: number): number | undefined {
    return this.#cron.nextRun(new Date(ms))?.getTime();
  }

  /** The last tick at or before now: found from ever further back, so that a long pause costs few steps. */
  #lastBefore(tick: number, now: number): number {
    let from = tick;
    for (let back = 1000; now - back > tick; back *= 2) {
      const found = this.#after(now - back);
      if (found !== undefined && found <= now) {
        from = found;
        break;
      }
    }
    for (let next = this.#after(from); next !== undefined && next <= now; next = this.#after(next)) from = next;
    return from;
  }
}
