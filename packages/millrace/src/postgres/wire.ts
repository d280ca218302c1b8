import type { Cancel, Clock } from "../runtime/clock.js";
import type { Logger } from "../runtime/logger.js";
import { aliveEveryMs, beat, forgetSilent, leave, readMembers } from "./members.js";
import { everything, Gathered, heardNews, type News } from "./news.js";
import type { PgClient, PgNotice, PgPool } from "./pool.js";
import { Session } from "./session.js";
import type { Texts } from "./texts.js";

const gatherMs = 5;
const lookEveryMs = 1_000;
const againMs = { first: 100, max: 5_000 };
const ignore = () => {};

export interface WireParts {
  readonly pool: PgPool;
  readonly shared: string;
  readonly texts: Texts;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The name of this process among those that use the database. */
  readonly member: string;
  /** What it takes part in. */
  consumers(): readonly string[];
  /** The database's time, to a question of the moment `asked` (monotonic). */
  timed(at: number, asked: number): void;
  /** What other processes have told, or what may have been missed. */
  heard(news: News): void;
  /** Its types and topics are to be read anew, as others may have changed them. */
  look(): Promise<void>;
}

/**
 * One connection of this process's own, on which it says that it lives, tells the others what it has changed, and hears
 * them. Notifications are sent after commits and not in them: a commit that notifies takes a lock of the whole database.
 */
export class Wire {
  readonly #parts: WireParts;
  #session: Session | undefined;
  #gathered: Gathered | undefined;
  #queue: Promise<void> = Promise.resolve();
  #cancelGather: Cancel = ignore;
  #cancelLook: Cancel = ignore;
  #beatAt = Number.NEGATIVE_INFINITY;
  #others: string | undefined;
  #failures = 0;
  #closed = false;

  constructor(parts: WireParts) {
    this.#parts = parts;
  }

  async open(): Promise<void> {
    await this.#connect();
    this.#lookLater(lookEveryMs);
  }

  /** Tells the others, soon. */
  say(news: News): void {
    if (this.#closed) return;
    if (this.#gathered === undefined) {
      this.#gathered = new Gathered();
      this.#cancelGather = this.#parts.clock.after(gatherMs, () => void this.#enqueue(() => this.#send()));
    }
    this.#gathered.add(news);
  }

  /** Says now what this process takes part in: the shares of the others depend on it. */
  join(): Promise<void> {
    return this.#enqueue(() => this.#beat());
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancelGather();
    this.#cancelLook();
    const { texts, member } = this.#parts;
    await this.#enqueue(async () => {
      const session = this.#session;
      if (session === undefined) return;
      this.#gathered ??= new Gathered();
      this.#gathered.add({ change: { leases: true } });
      await leave(session, texts, member);
      await this.#send();
    });
    this.#release(false);
  }

  async #connect(): Promise<void> {
    const { pool, shared, member, heard } = this.#parts;
    const client = await pool.connect();
    let listening = false;
    try {
      client.on("notification", ({ channel, payload }: PgNotice) => {
        if (channel !== shared) return;
        const news = heardNews(payload, member);
        if (news !== undefined) heard(news);
      });
      client.on("error", () => this.#lost(client));
      const session = new Session(client);
      await session.script(`LISTEN ${shared}`);
      this.#session = session;
      listening = true;
      await this.#beat();
    } catch (error) {
      // Once it was ours, its loss may have been told before.
      if (listening) this.#lost(client);
      else client.release(true);
      throw error;
    }
  }

  #lost(client: PgClient): void {
    if (this.#session?.client !== client) return;
    this.#release(true);
    if (!this.#closed)
      this.#parts.logger.warn({}, "the connection that hears of other processes was lost; it is made anew");
  }

  #release(broken: boolean): void {
    const session = this.#session;
    this.#session = undefined;
    // One that listens is not for others.
    if (session !== undefined) session.client.release(broken || true);
  }

  async #beat(): Promise<void> {
    const { texts, member, consumers, clock, heard, timed } = this.#parts;
    const session = this.#session;
    if (session === undefined) return;
    const asked = clock.monotonic();
    const { back, at } = await beat(session, texts, { member, consumers: consumers() });
    timed(at, asked);
    const first = this.#beatAt === Number.NEGATIVE_INFINITY;
    this.#beatAt = asked;
    // It was taken for dead: it is to look what it still has.
    if (back && !first) heard({ change: everything });
  }

  async #look(): Promise<void> {
    const { texts, clock, member, heard, look } = this.#parts;
    if (this.#session === undefined) {
      await this.#connect();
      heard({ change: everything });
    }
    const session = this.#session as Session;
    if (clock.monotonic() - this.#beatAt >= aliveEveryMs) await this.#beat();
    const members = await readMembers(session, texts);
    const others = JSON.stringify(members.filter((one) => one.member !== member && one.alive));
    // Whoever has died may have committed something that it could not tell any more.
    if (this.#others !== undefined && this.#others !== others) heard({ change: everything });
    this.#others = others;
    if (members.some(({ alive }) => !alive)) await forgetSilent(session, texts);
    await look();
  }

  async #send(): Promise<void> {
    const gathered = this.#gathered;
    const session = this.#session;
    // Without a connection it is kept, and told once there is one.
    if (gathered === undefined || session === undefined) return;
    this.#gathered = undefined;
    try {
      const { texts, shared, member } = this.#parts;
      const notifications = gathered.texts(member);
      if (notifications.length > 0)
        await session.rows(
          texts.of("notify", "SELECT pg_notify($1, text) FROM unnest($2::text[]) AS n(text)"),
          shared,
          notifications,
        );
    } catch (error) {
      this.say({ change: everything });
      throw error;
    }
  }

  #lookLater(ms: number): void {
    if (this.#closed) return;
    this.#cancelLook = this.#parts.clock.after(ms, () => {
      void this.#enqueue(() => this.#look()).then(() => {
        const retry = Math.min(againMs.first * 2 ** this.#failures, againMs.max);
        this.#lookLater(this.#failures === 0 ? lookEveryMs : retry);
      });
    });
  }

  /** One thing after the other; what fails is tried again with the next look. */
  #enqueue(work: () => Promise<void>): Promise<void> {
    this.#queue = this.#queue.then(async () => {
      try {
        await work();
        this.#failures = 0;
        // What was said while there was no connection.
        if (this.#gathered !== undefined && this.#session !== undefined && !this.#closed) await this.#send();
      } catch (error) {
        this.#failures += 1;
        this.#release(true);
        if (!this.#closed)
          this.#parts.logger.warn(
            { err: error },
            "PostgreSQL does not answer; other processes are not heard of until it does",
          );
      }
    });
    return this.#queue;
  }
}
