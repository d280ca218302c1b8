import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { Ears } from "./ears.js";
import type { PgClient, PgNotice, PgPool } from "./pool.js";
import { Session, withSession } from "./session.js";

const gatherMs = 3;
const pollMs = 1_000;
/** NOTIFY carries less than 8,000 bytes. */
const topicsMax = 100;
const ignore = () => {};

export interface LogBellsParts {
  readonly pool: PgPool;
  readonly schema: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Tells who reads that topics have grown: in this process at once, in others by NOTIFY on a connection of its own. What is
 * missed is found by a look each second. Notifications are sent after commits: one that notifies takes a lock of the whole database.
 */
export class LogBells {
  readonly #parts: LogBellsParts;
  readonly #ears = new Ears<readonly string[]>();
  readonly #read = new Map<string, number>();
  readonly #grown = new Set<string>();
  #listener: PgClient | undefined;
  #cancelSend: Cancel | undefined;
  #cancelLook: Cancel = ignore;
  #closed = false;

  constructor(parts: LogBellsParts) {
    this.#parts = parts;
  }

  async open(): Promise<void> {
    await this.#listen();
    this.#lookLater();
  }

  /** This process reads the topic. */
  reads(topic: string): void {
    if (!this.#read.has(topic)) this.#read.set(topic, -1);
  }

  onAppended(heard: (topics: readonly string[]) => void): () => void {
    return this.#ears.add(heard);
  }

  /** This process has appended to topics. */
  ring(topics: readonly string[]): void {
    this.#tell(topics);
    for (const topic of topics) this.#grown.add(topic);
    this.#cancelSend ??= this.#parts.clock.after(gatherMs, () => {
      this.#cancelSend = undefined;
      void this.#send().catch(ignore);
    });
  }

  close(): void {
    this.#closed = true;
    this.#cancelSend?.();
    this.#cancelLook();
    this.#listener?.release(true);
    this.#listener = undefined;
  }

  async #send(): Promise<void> {
    const topics = [...this.#grown];
    this.#grown.clear();
    for (let at = 0; at < topics.length; at += topicsMax)
      await withSession(this.#parts.pool, (session) =>
        session.rows("SELECT pg_notify($1, $2)", this.#parts.schema, JSON.stringify(topics.slice(at, at + topicsMax))),
      );
  }

  async #listen(): Promise<void> {
    const client = await this.#parts.pool.connect();
    const lost = () => {
      if (this.#listener !== client) return;
      this.#listener = undefined;
      client.release(true);
    };
    try {
      client.on("error", lost);
      client.on("notification", ({ payload }: PgNotice) => this.#heard(payload));
      await new Session(client).script(`LISTEN ${this.#parts.schema}`);
    } catch (error) {
      client.release(true);
      throw error;
    }
    this.#listener = client;
  }

  #heard(payload: string | undefined): void {
    try {
      this.#tell(JSON.parse(payload ?? "") as readonly string[]);
    } catch {
      // Another program uses the channel.
    }
  }

  #tell(topics: readonly string[]): void {
    const mine = topics.filter((topic) => this.#read.has(topic));
    if (mine.length > 0) this.#ears.tell(mine);
  }

  #lookLater(): void {
    this.#cancelLook = this.#parts.clock.after(pollMs, () => {
      void this.#look()
        .catch((error: unknown) => this.#parts.logger.debug({ err: error }, "the log could not be looked at"))
        .finally(() => {
          if (!this.#closed) this.#lookLater();
        });
    });
  }

  async #look(): Promise<void> {
    const { pool, schema } = this.#parts;
    if (this.#listener === undefined && !this.#closed) await this.#listen();
    const rows = await withSession(pool, (session) =>
      session.rows(
        `SELECT t.name, sum(p.next) FROM ${schema}.mr_log_topics AS t JOIN ${schema}.mr_log_partitions AS p USING (topic)
         WHERE t.name = ANY($1) GROUP BY t.name`,
        [...this.#read.keys()],
      ),
    );
    const grown = (rows as readonly (readonly [string, number])[]).filter(
      ([name, end]) => this.#read.get(name) !== end,
    );
    for (const [name, end] of grown) this.#read.set(name, end);
    this.#tell(grown.map(([name]) => name));
  }
}
