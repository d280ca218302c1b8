import { Failure } from "../failure/failure.js";
import type { Logger } from "../runtime/logger.js";
import type { Outbox, OutboxBacklog, OutboxLease, OutboxLimit, OutboxPage } from "../store/outbox.js";
import { translated } from "./errors.js";
import { type OutboxOwner, ShardLeases } from "./outbox-leases.js";
import { type Nothing, openWindow, readPage, type Shard, type WindowPage } from "./outbox-pages.js";
import { rebase } from "./outbox-rebase.js";
import { type Session, withSession } from "./session.js";
import { invisible, isBefore, isOpen, type Snapshot, type Window } from "./window.js";

/** What the outbox of one process is made of. */
export interface OutboxParts extends OutboxOwner {
  readonly logger: Logger;
  /** Tells of commits, of this process and of others. */
  readonly onCommitted: Outbox["onCommitted"];
}

/** More events than this are not counted. */
const backlogMax = 100_000;

/**
 * The outbox by snapshot difference. A window is what is visible in one snapshot and not in the one before: whatever commits late
 * is in a later window, wherever its numbers stand, and within a window events of one key have been numbered in the order of their
 * commits, because they are numbered behind their locks.
 */
export class PostgresOutbox implements Outbox {
  readonly onCommitted: Outbox["onCommitted"];
  readonly #parts: OutboxParts;
  readonly #leases: ShardLeases;
  /** What mr_relay has, as this process wrote it, by shard and epoch. */
  readonly #windows = new Map<string, Window>();

  constructor(parts: OutboxParts) {
    this.#parts = parts;
    this.#leases = new ShardLeases(parts);
    this.onCommitted = parts.onCommitted;
  }

  leases() {
    return translated(() => this.#leases.look());
  }

  next(lease: OutboxLease, limit: OutboxLimit): Promise<OutboxPage> {
    return this.#with(lease, async (session, shard) => {
      let window = this.#windows.get(nameOf(lease)) ?? (await readWindow(session, shard));
      this.#windows.set(nameOf(lease), window);
      if (isOpen(window)) {
        const page = await readPage(session, shard.schema, { window, limit });
        if (page.records.length > 0) return page;
      }
      for (;;) {
        const opened = await openWindow(session, shard, { window, limit });
        if ("records" in opened) {
          this.#windows.set(nameOf(lease), opened.window);
          return opened;
        }
        const since = await this.#why({ session, shard, lease }, { opened, window });
        if (since === undefined) return { records: [], through: 0, waitedMs: 0 };
        window = since;
        this.#windows.set(nameOf(lease), window);
      }
    });
  }

  sent(lease: OutboxLease, page: OutboxPage): Promise<void> {
    const { window, closes, through } = page as WindowPage;
    return this.#with(lease, async (session, { schema, owner, epoch, leaseMs }) => {
      const next = closes ? "previous = coalesce(current, previous), current = NULL, position = 0" : "position = $5";
      const changed = await session.changes(
        `UPDATE ${schema}.mr_relay SET ${next}, high = greatest(high, $5), expires = clock_timestamp() + $6::integer * interval '1 ms'
         WHERE owner = $1 AND epoch = $2 AND coalesce(current, previous)::text = $3 AND previous::text IN ($3, $4)`,
        ...[owner, epoch, window.current, window.previous, through, leaseMs],
      );
      if (changed > 0) {
        const { cluster, current } = window;
        const closed = { cluster, previous: current, current: undefined, position: 0 };
        const after: Window = closes ? closed : { ...window, position: through };
        this.#windows.set(nameOf(lease), after);
        return;
      }
      // Either another process has taken the lease, or the database is not what it was: then the row says where to go on.
      this.#windows.set(nameOf(lease), await readWindow(session, { schema, owner, epoch, leaseMs }));
    });
  }

  release(lease: OutboxLease): Promise<void> {
    this.#windows.delete(nameOf(lease));
    return translated(async () => {
      await this.#leases.release(lease);
    });
  }

  backlog(lease: OutboxLease): Promise<OutboxBacklog> {
    return this.#with(lease, async (session, shard) => {
      const { previous, current, position } = await readWindow(session, shard);
      const { from, among } = invisible(previous);
      const row = await session.row(
        `SELECT count(*), greatest(0, coalesce((extract(epoch FROM clock_timestamp()) * 1000)::bigint - min(committed), 0)) FROM (
           SELECT committed FROM ${shard.schema}.mr_outbox WHERE (xid >= $1::xid8 OR xid = ANY($2::xid8[]))
             AND ($4::pg_snapshot IS NULL OR seq > $3 OR NOT pg_visible_in_snapshot(xid, $4::pg_snapshot)) LIMIT ${backlogMax}) AS counted`,
        ...[from, `{${among.join(",")}}`, position, current ?? null],
      );
      const [records, waitedMs] = row as [number, number];
      return { shard: lease.shard, records, waitedMs };
    });
  }

  waiting(): Promise<boolean> {
    const { pool } = this.#parts;
    return translated(() =>
      withSession(pool, async (session) => {
        const shards = await this.#leases.shards(session);
        if (shards.length === 0) return false;
        const waits = shards.map(([, schema]) => `EXISTS (${unsent(schema)})`);
        return (await session.row(`SELECT ${waits.join(" OR ")}`))?.[0] === true;
      }),
    );
  }

  /**
   * Nothing was found, and no window opened. The window to go on with, when there may be something behind another; undefined when there is nothing.
   *
   * @throws {Failure} FENCED
   */
  async #why(
    { session, shard, lease }: { readonly session: Session; readonly shard: Shard; readonly lease: OutboxLease },
    { opened, window }: { readonly opened: Nothing; readonly window: Window },
  ): Promise<Window | undefined> {
    const before = window.current ?? window.previous;
    if (opened.stored === undefined) throw fenced(lease);
    if (opened.stored !== before) return await readWindow(session, shard);
    if (opened.cluster === window.cluster && !isBefore(opened.snapshot, before)) return undefined;
    const rebased = await rebase(session, shard);
    if (rebased === undefined) throw fenced(lease);
    this.#parts.logger.warn(
      { shard: lease.shard, events: rebased.kept, before: window.cluster, now: opened.cluster },
      `the database of ${lease.shard} was restored, or is another than before: ${rebased.kept} events that may not have been sent ` +
        "before the backup are sent now; consumers drop those that were",
    );
    return rebased.window;
  }

  async #with<T>(lease: OutboxLease, work: (session: Session, shard: Shard) => Promise<T>): Promise<T> {
    const { pool, member, leaseMs } = this.#parts;
    const schema = this.#leases.schemas.get(lease.shard);
    if (schema === undefined) throw fenced(lease);
    const shard: Shard = { schema, owner: member, epoch: lease.epoch, leaseMs };
    try {
      return await translated(() => withSession(pool, (session) => work(session, shard)));
    } catch (error) {
      // Whether the row was changed is not known: it is read again.
      this.#windows.delete(nameOf(lease));
      throw error;
    }
  }
}

/** Events of a shard, in whatever state its relay has left the row. */
function unsent(schema: string): string {
  return `SELECT FROM ${schema}.mr_relay AS r, ${schema}.mr_outbox AS o
    WHERE o.xid >= (SELECT min(pg_snapshot_xmin(previous)) FROM ${schema}.mr_relay) AND NOT pg_visible_in_snapshot(o.xid, r.previous)
      AND (r.current IS NULL OR o.seq > r.position OR NOT pg_visible_in_snapshot(o.xid, r.current))`;
}

async function readWindow(session: Session, { schema, owner, epoch }: Shard): Promise<Window> {
  const row = await session.row(
    `SELECT cluster, previous::text, current::text, position FROM ${schema}.mr_relay WHERE owner = $1 AND epoch = $2`,
    ...[owner, epoch],
  );
  if (row === undefined) throw fenced({ shard: schema, epoch });
  const [cluster, previous, current, position] = row as [string, Snapshot, Snapshot | null, number];
  return { cluster, previous, current: current ?? undefined, position };
}

function fenced({ shard }: OutboxLease): Failure {
  return new Failure("FENCED", `another process relays the events of ${shard} now`);
}

const nameOf = ({ shard, epoch }: OutboxLease) => `${epoch} ${shard}`;
