import type { Change, EngineContext } from "../engine/engine.js";
import type { JobsDue } from "../store/jobs.js";
import type { OperationResult } from "../store/unit.js";
import type { CommitNews } from "./commit/transaction.js";
import { Commits } from "./commits.js";
import { DocumentTypes } from "./document-types.js";
import { Ears } from "./ears.js";
import { translated } from "./errors.js";
import { keepingDefault } from "./hygiene.js";
import { installShared } from "./install.js";
import * as leases from "./leases.js";
import type { News } from "./news.js";
import { type Place, Places } from "./places.js";
import { hearLosses, type PgPool } from "./pool.js";
import { transact } from "./session.js";
import { PostgresStore } from "./store.js";
import { Topics } from "./topics.js";
import { Wire } from "./wire.js";

export interface CoreParts {
  readonly pool: PgPool;
  readonly shared: string;
  readonly context: EngineContext;
  /** The name of this process among those that use the database. */
  readonly member: string;
  /** How long copies of events are told, in log time (default 30 days). */
  readonly inboxWindowMs?: number;
  dueJobs(): Promise<JobsDue | undefined>;
  /** The database's time, to a question of the moment `asked` (monotonic). */
  timed?(at: number, asked: number): void;
}

const ignore = () => {};

/** One process's use of the database: the store port, and what processes tell each other. */
export class Core {
  readonly store: PostgresStore;
  readonly places: Places;
  readonly topics: Topics;
  readonly handled = new Ears<readonly OperationResult[]>();
  readonly changed = new Ears<Change>();
  readonly committed = new Ears<readonly string[]>();
  readonly #parts: CoreParts;
  readonly #commits: Commits;
  readonly #wire: Wire;
  readonly #types: DocumentTypes;
  readonly #consumers = new Set<string>();
  #closed = false;
  #deafen = ignore;

  constructor(parts: CoreParts) {
    const { pool, shared, context, member } = parts;
    const { clock, logger } = context;
    this.#parts = parts;
    this.places = new Places({ pool, shared, clock });
    this.topics = new Topics(pool, shared);
    this.#types = new DocumentTypes(pool, this.places);
    const { places, topics } = this;
    const types = this.#types;
    const committed = (place: Place, news: CommitNews) => this.#committed(place, news);
    const closed = () => this.#closed;
    this.#commits = new Commits({ pool, places, topics, types, clock, logger, committed, closed });
    this.#wire = new Wire({
      ...{ pool, shared, clock, logger, member, texts: places.texts },
      consumers: () => [...this.#consumers],
      timed: (at, asked) => parts.timed?.(at, asked),
      heard: (news) => this.#heard(news),
      look: () => types.refreshAll(),
    });
    this.store = new PostgresStore({
      ...{ pool, places, topics, types, clock, member, commits: this.#commits },
      inboxWindowMs: parts.inboxWindowMs ?? keepingDefault.inboxMs,
      dueJobs: () => parts.dueJobs(),
      joins: (consumer) => this.#joins(consumer),
      leasesChanged: () => this.ring({ change: { leases: true } }),
    });
  }

  async open(): Promise<void> {
    const { pool, shared } = this.#parts;
    this.#deafen = hearLosses(pool);
    try {
      await translated(() => installShared(pool, shared));
      await translated(() => this.#wire.open());
      await translated(() => this.topics.all());
    } catch (error) {
      // Whoever ends the pool waits for its connections, and one of them is the wire's.
      await this.close();
      throw error;
    }
  }

  /** Tells the other processes. */
  ring(news: News): void {
    this.#wire.say(news);
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#commits.close();
    const { pool, member, context } = this.#parts;
    try {
      for (const place of this.places.used)
        await transact(pool, (session) => leases.releaseAll({ session, place, member }));
    } catch (error) {
      // They are as free without it: who comes next finds that their holder is gone.
      context.logger.warn({ err: error }, "leases could not be given back in order");
    }
    await this.#wire.close();
    this.#deafen();
  }

  #committed({ service }: Place, { lanes, timers, results, events }: CommitNews): void {
    const shards = events ? [service] : [];
    const change = lanes.length > 0 || timers ? { lanes, timers } : undefined;
    if (change === undefined && results.length === 0 && shards.length === 0) return;
    this.ring({ ...(change && { change }), results, shards });
    if (results.length > 0) this.handled.tell(results);
    if (shards.length > 0) this.committed.tell(shards);
  }

  #heard({ change, results, shards }: News): void {
    if (results !== undefined && results.length > 0) this.handled.tell(results);
    if (shards !== undefined && shards.length > 0) this.committed.tell(shards);
    if (change !== undefined && Object.keys(change).length > 0) this.changed.tell(change);
  }

  async #joins(consumer: string): Promise<void> {
    if (this.#consumers.has(consumer)) return;
    this.#consumers.add(consumer);
    await this.#wire.join();
    this.ring({ change: { leases: true } });
  }
}
