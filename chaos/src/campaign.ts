import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { audit, type Verdict } from "./audit.js";
import { type Chance, chanceOf, seedOf } from "./chance.js";
import { withRecords } from "./facts.js";
import type { Ground, RestWatch } from "./ground.js";
import { type End, type FaultPlan, Life } from "./life.js";

/** What a run is to do. */
export interface CampaignOptions {
  readonly ground: Ground;
  readonly dir: string;
  readonly kills: number;
  readonly seed: number;
  readonly processes: number;
  readonly rate: number;
  readonly fault: string | undefined;
  readonly aborts: boolean;
  readonly say: (line: string) => void;
}

/** What a run came to. */
export interface Report extends Verdict {
  readonly seed: number;
  readonly kills: number;
  readonly killsAfterAck: number;
  /** Of the kills: of the owner of the file, by a process's own hand at a chosen point, and of frozen processes. */
  readonly killsOf: { readonly owner: number; readonly point: number; readonly frozen: number };
  readonly freezes: number;
  /** How often processes came and went in order while others worked. */
  readonly storms: number;
  /** What happened to the servers, and to answers on their way. */
  readonly upsets: Readonly<Record<string, number>>;
  readonly restMs: number;
  readonly seconds: number;
}

/** With servers, processes that live through their restarts come to do something. */
const storming = { share: 0.05, ms: 10_000 };
/** Leases this short expire while a process is frozen. Signs of life are 3 s apart. */
const leaseMs = 5_000;
/** With a guard off there may be no rest, and nothing is gained by waiting for it. */
const restWithinMs = { sound: 120_000, faulty: 20_000 };
const stopWithinMs = 30_000;
const pointShare = 0.6;
/** The program's own ends: 0 when asked to stop, 4 when the owner was stopped for too long to let it in. */
const refusedCode = 4;

/** Kills, freezes and restarts processes that work on one ground, and its servers, and then looks whether every promise was kept. */
export async function campaign(options: CampaignOptions): Promise<Report> {
  return await new Campaign(options).run();
}

class Campaign {
  readonly #options: CampaignOptions;
  readonly #chance: Chance;
  readonly #armedBy: string;
  readonly #lives: (Life | undefined)[];
  readonly #generations: number[];
  readonly #slots: number;
  /** How many processes there are to be at the moment. */
  #wanted: number;
  #storms = 0;
  /** Lives that this campaign killed, as against those that killed themselves. */
  readonly #shot = new Set<Life>();
  readonly #broken: string[] = [];
  #kills = 0;
  #killsAfterAck = 0;
  readonly #killsOf = { owner: 0, point: 0, frozen: 0 };
  #freezes = 0;
  #freezing = false;
  #faultsOver = false;

  constructor(options: CampaignOptions) {
    this.#options = options;
    this.#chance = chanceOf(seedOf(options.seed, 7));
    this.#armedBy = join(options.dir, "armed");
    this.#slots = options.processes + options.ground.joiners;
    this.#wanted = options.processes;
    this.#lives = new Array<Life | undefined>(this.#slots).fill(undefined);
    this.#generations = new Array<number>(this.#slots).fill(0);
  }

  async run(): Promise<Report> {
    const { dir, ground, kills, seed, say } = this.#options;
    mkdirSync(dir, { recursive: true });
    writeFileSync(this.#armedBy, "");
    const began = performance.now();
    const until = began + 120_000 + kills * 5_000 * ground.pace;
    while (this.#kills < kills && this.#broken.length === 0) {
      if (performance.now() > until) {
        this.#broken.push(`after ${this.#kills} kills nothing went on`);
        break;
      }
      this.#refill();
      await pause(this.#chance.whole(20, 350) * ground.pace);
      if (this.#kills < kills) this.#strike();
      this.#disturb();
    }
    const restMs = await this.#rest();
    await this.#stop();
    say("chaos: all is at rest, or given up; the audit begins");
    const verdict = audit(withRecords(await ground.facts(), dir, this.#slots), seed, this.#broken);
    return {
      seed,
      kills: this.#kills,
      killsAfterAck: this.#killsAfterAck,
      killsOf: this.#killsOf,
      freezes: this.#freezes,
      storms: this.#storms,
      upsets: ground.upsets(),
      restMs,
      seconds: Math.round((performance.now() - began) / 1_000),
      ...verdict,
    };
  }

  /** A process in every slot. Some of them carry the point of their own death. */
  #refill(): void {
    const { ground, dir, seed, rate, aborts, fault } = this.#options;
    const { place } = ground;
    for (const [slot, life] of this.#lives.entries()) {
      if (slot >= this.#wanted && life !== undefined) this.#leave(life);
      if (slot >= this.#wanted || (life !== undefined && !life.over)) continue;
      const generation = (this.#generations[slot] ?? 0) + 1;
      this.#generations[slot] = generation;
      const chance = chanceOf(seedOf(seed, slot, generation, 3));
      const death = {
        at: chance.pick(["before", "inside", "after"]),
        commit: chance.happens(0.1) ? chance.whole(1, 20) : chance.whole(15, 90),
        statement: chance.whole(1, place.engine === "embedded" ? 25 : 12),
      };
      const plan: FaultPlan = {
        ...(place.engine === "embedded" ? {} : { postgres: true as const }),
        leaseMs,
        armedBy: this.#armedBy,
        ...(fault === undefined ? {} : { fault }),
        ...(chance.happens(pointShare) && !this.#faultsOver ? { death } : {}),
      };
      const born = new Life({ place, dir, seed, slot, generation, rate, aborts }, plan);
      this.#lives[slot] = born;
      void born.ended.then((end) => this.#died(born, end));
    }
  }

  #died(life: Life, { code, signal }: End): void {
    if (signal === "SIGKILL") {
      this.#kills += 1;
      if (life.acked) this.#killsAfterAck += 1;
      if (life.frozen) this.#killsOf.frozen += 1;
      if (!this.#shot.has(life)) this.#killsOf.point += 1;
      if (this.#options.ground.owner() === life.pid) this.#killsOf.owner += 1;
      if (this.#kills % 50 === 0)
        this.#options.say(`chaos: ${this.#kills} kills, ${this.#killsAfterAck} after an acknowledgement`);
    } else if (signal !== "SIGABRT" && code !== 0 && code !== refusedCode)
      this.#broken.push(
        `process ${life.pid} of slot ${life.slot} ended with ${signal ?? code}; see log-${life.slot}.log`,
      );
  }

  /** Something happens to the servers, or processes join and leave. */
  #disturb(): void {
    const { ground, processes } = this.#options;
    ground.upset(this.#chance)?.catch((error: unknown) => this.#broken.push(`a server: ${String(error)}`));
    if (ground.joiners === 0 || this.#wanted > processes || !this.#chance.happens(storming.share)) return;
    this.#storms += 1;
    this.#wanted = processes + this.#chance.whole(1, ground.joiners);
    // Some leave in order while others come.
    for (const life of this.#lives) if (life !== undefined && this.#chance.happens(0.5)) this.#leave(life);
    void pause(storming.ms * (0.5 + this.#chance.next())).then(() => {
      this.#wanted = processes;
    });
  }

  #leave(life: Life): void {
    if (life.ready && !life.over && !life.frozen && !this.#shot.has(life)) life.stop();
  }

  #strike(): void {
    const alive = this.#lives.filter((life): life is Life => life !== undefined && !life.over && !this.#shot.has(life));
    // Who carries the point of its own death is left to it, unless it does not come there.
    const working = alive.filter(
      (life) => life.acked && !life.frozen && (!life.doomed || life.age > 3_000 * this.#options.ground.pace + 3_000),
    );
    const dice = this.#chance.next();
    const victim = this.#chance.pick(working.length > 0 ? working : alive.filter((life) => !life.acked));
    const random = this.#chance.next();
    if (victim === undefined) return;
    // One that has acknowledged nothing yet is hit only now and then, or never where it takes long until another one works:
    // such a kill proves little.
    const spares = this.#options.ground.pace > 1;
    if (dice < 0.02) for (const life of spares ? working : alive) this.#shoot(life);
    else if (dice < 0.12) {
      const owner = working.find(({ pid }) => pid === this.#options.ground.owner());
      if (owner !== undefined) this.#shoot(owner);
    } else if (dice < 0.17 && (victim.acked || !spares)) this.#freeze(victim, random);
    else if (dice < 0.5 && (victim.acked || (!spares && random < 0.05))) this.#shoot(victim);
  }

  #shoot(life: Life): void {
    this.#shot.add(life);
    life.kill();
  }

  /** Long enough for its leases to go to others; then it goes on as a zombie, or dies. */
  #freeze(life: Life, random: number): void {
    if (this.#freezing) return;
    this.#freezing = true;
    this.#freezes += 1;
    life.freeze();
    void pause(leaseMs + 500 + random * 1_500).then(() => {
      this.#freezing = false;
      if (life.over) return;
      if (random < 0.3 && !this.#faultsOver) this.#shoot(life);
      else life.thaw();
    });
  }

  /** No more faults: every process is up, publishes no more, and everything comes to rest. */
  async #rest(): Promise<number> {
    this.#faultsOver = true;
    rmSync(this.#armedBy, { force: true });
    const { ground } = this.#options;
    await ground.calm();
    const began = performance.now();
    for (const life of this.#lives) if (life !== undefined && !life.over) life.thaw();
    const withinMs = this.#options.fault === undefined ? restWithinMs.sound : restWithinMs.faulty;
    const watch = await ground.watch();
    try {
      await this.#untilRest(watch, began + withinMs);
    } finally {
      await watch.close();
    }
    return Math.round(performance.now() - began);
  }

  async #untilRest(watch: RestWatch, until: number): Promise<void> {
    let left: readonly string[] = [];
    let quiet = 0;
    while (performance.now() < until && this.#broken.length === 0) {
      this.#refill();
      const lives = this.#lives.filter((life): life is Life => life !== undefined && !life.over);
      for (const life of lives) if (life.ready && !life.drained) life.rest();
      const running = lives
        .filter(({ drained }) => !drained)
        .map(({ slot }) => `the process of slot ${slot} has not drained`);
      left = running.length > 0 ? running : await watch.left();
      quiet = left.length === 0 ? quiet + 1 : 0;
      // Twice in a row: a timer may have left its row and not come to its handlers yet.
      if (quiet === 2) return;
      await pause(200);
    }
    this.#broken.push(...left.slice(0, 20));
  }

  async #stop(): Promise<void> {
    const alive = this.#lives.filter((life): life is Life => life !== undefined && !life.over);
    for (const life of alive) life.stop();
    const late = new AbortController();
    await Promise.race([
      Promise.all(alive.map(({ ended }) => ended)),
      pause(stopWithinMs, undefined, { signal: late.signal }).catch(() => undefined),
    ]);
    late.abort();
    for (const life of alive)
      if (!life.over) {
        this.#broken.push(`process ${life.pid} of slot ${life.slot} did not stop within ${stopWithinMs / 1_000} s`);
        life.kill();
        await life.ended;
      }
  }
}
