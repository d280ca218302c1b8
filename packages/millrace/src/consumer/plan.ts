import type { ContractDeclaration } from "../contract/declaration.js";
import type { OpenEngine } from "../engine/engine.js";
import type { Clock } from "../runtime/clock.js";
import { type Seed, seedOf } from "../runtime/ids.js";
import type { Logger } from "../runtime/logger.js";
import type { Background } from "./background.js";
import type { BatchHandler } from "./batch.js";
import type { Committer } from "./committer.js";
import type { LaneBy } from "./declaration.js";
import type { FlowPlan } from "./flow.js";
import type { Handler } from "./handler.js";
import type { EventMemory } from "./memory.js";
import type { Routes } from "./outgoing.js";
import type { Run } from "./run.js";
import type { View } from "./view.js";

/** How failed runs are met, in numbers. */
export interface RetryPlan {
  readonly attemptsInPlace: number;
  readonly attemptsMax: number;
  readonly backoffMsFirst: number;
  readonly backoffMsMax: number;
}

/** One handler of a consumer, ready to run. */
export interface Subscription {
  readonly contract: ContractDeclaration;
  /** The topic that carries the contract, and its key field: topics with one key name share lanes. */
  readonly topic: string;
  readonly keyName: string;
  /** Set for patterns whose instances are told apart by a field that need not be the topic's key. */
  readonly laneBy: LaneBy | undefined;
  readonly partitions: number;
  readonly handler: Handler;
  /** The module whose default export is the handler, to be run in a worker; then `handler` is not called. */
  readonly isolate: URL | undefined;
  /** Types it may publish or send. */
  readonly emits: ReadonlySet<string>;
  readonly timeoutMs: number;
  readonly concurrency: number;
  /** Who is first when the consumer's places are scarce: the highest. */
  readonly priority: number;
  /** When its runs may start; undefined when nothing but places limits them. */
  readonly flow: FlowPlan | undefined;
  readonly skipPoison: boolean;
  readonly retry: RetryPlan;
  readonly from: "beginning" | "end" | undefined;
}

/** A consumer, ready to run. */
export interface ConsumerPlan {
  readonly name: string;
  readonly service: string;
  /** Most handlers at work at one time, of all subscriptions. */
  readonly concurrency: number;
  readonly subscriptions: readonly Subscription[];
  /** Handles many of their events together; what it cannot is left to their handlers. */
  readonly batch?: BatchHandler | undefined;
  /** What it makes rows for. */
  readonly view?: View | undefined;
}

/** Wants to know which handlers took at least `ms`. */
export interface SlowRuns {
  readonly ms: number;
  add(run: Run): void;
}

/** What all consumers of a process share. */
export interface ConsumerHost {
  readonly engine: OpenEngine;
  readonly committer: Committer;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly routes: Routes;
  /** What all consumers together may hold of fetched events. */
  readonly memory: EventMemory;
  /** The work that gives way to the rest. */
  readonly background: Background;
  /** In [0, 1): spreads retries. */
  readonly jitter: () => number;
  readonly slowRuns?: SlowRuns | undefined;
}

/** Seeds of derived ids, mixed once for each consumer, generation and purpose. */
export class Seeds {
  readonly #consumer: string;
  readonly #known = new Map<string, Seed>();

  constructor(consumer: string) {
    this.#consumer = consumer;
  }

  of(generation: number, purpose: string): Seed {
    const name = generation === 1 ? purpose : `${generation}/${purpose}`;
    let seed = this.#known.get(name);
    if (seed === undefined) {
      seed = seedOf(this.#consumer, generation, purpose);
      this.#known.set(name, seed);
    }
    return seed;
  }
}
