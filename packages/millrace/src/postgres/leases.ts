import { Failure } from "../failure/failure.js";
import { decodePosition, decodeSubscriptions, encodeSubscriptions, type PositionRow } from "../store/rows.js";
import { fairShare } from "../store/shares.js";
import type { Leased, Registration } from "../store/store.js";
import type { Position } from "../store/unit.js";
import { Locks } from "./locks.js";
import { readMembers } from "./members.js";
import type { Place } from "./places.js";
import { positionColumns, positionRow } from "./position-rows.js";
import type { Session } from "./session.js";
import type { Texts } from "./texts.js";

/** Who takes leases, in a transaction. */
export interface Taking {
  readonly session: Session;
  readonly place: Place;
  /** Statements over what all services share. */
  readonly texts: Texts;
  readonly member: string;
}

/** A position, and the member that holds it; empty when nobody does. */
interface Lease {
  readonly position: Position;
  readonly owner: string;
}

/** Who is among those that share a consumer's partitions. */
interface Among {
  readonly alive: ReadonlySet<string>;
  readonly sharing: readonly string[];
}

/** Saves a registration, and takes the member's share of the leases under a new epoch. */
export async function acquire(taking: Taking, registration: Registration, now: number): Promise<readonly Position[]> {
  const { session, place } = taking;
  const { consumer, topics } = registration;
  await alone(session, consumer);
  await session.rows(
    place.texts.of(
      "register",
      `INSERT INTO $schema.mr_consumers(consumer, topics, registered) VALUES ($1, $2, $3)
       ON CONFLICT (consumer) DO UPDATE SET topics = excluded.topics`,
    ),
    consumer,
    encodeSubscriptions(topics),
    now,
  );
  const starts = topics.flatMap(({ topic, start }) => start.map((offset, partition) => ({ topic, partition, offset })));
  await session.rows(
    place.texts.of(
      "begin",
      `INSERT INTO $schema.mr_positions(consumer, topic, partition, frontier)
       SELECT $1, topic, partition, frontier FROM unnest($2::text[], $3::int[], $4::bigint[]) AS w(topic, partition, frontier)
       WHERE NOT EXISTS (SELECT 1 FROM $schema.mr_positions AS p
         WHERE p.consumer = $1 AND p.topic = w.topic AND p.partition = w.partition) ORDER BY topic, partition`,
    ),
    consumer,
    starts.map(({ topic }) => topic),
    starts.map(({ partition }) => partition),
    starts.map(({ offset }) => offset),
  );
  return (await take(taking, consumer, { anew: true })).held;
}

/**
 * Takes what is free up to the member's share.
 *
 * @throws {Failure} POSITION_MISSING when the consumer is not registered.
 */
export async function renew(taking: Taking, consumer: string): Promise<Leased> {
  await alone(taking.session, consumer);
  return take(taking, consumer, { anew: false });
}

/** Gives leases back that are still the member's. Crashes not got over yet go with them. */
export async function release({ session, place, member }: Omit<Taking, "texts">, positions: readonly Position[]) {
  await session.rows(
    place.texts.of(
      "release",
      `UPDATE $schema.mr_positions AS p SET owner = '' FROM (
         SELECT q.position FROM unnest($1::bigint[], $2::bigint[]) AS w(position, epoch)
         JOIN $schema.mr_positions AS q ON q.position = w.position AND q.epoch = w.epoch AND q.owner = $3
         ORDER BY q.position FOR UPDATE OF q) AS mine WHERE p.position = mine.position`,
    ),
    positions.map(({ id }) => id),
    positions.map(({ epoch }) => epoch),
    member,
  );
}

/** Frees all that the member holds in a service: it ends in order. */
export async function releaseAll({ session, place, member }: Omit<Taking, "texts">): Promise<void> {
  await session.rows(
    place.texts.of(
      "releaseAll",
      `UPDATE $schema.mr_positions AS p SET owner = '', crashes = 0 FROM (
         SELECT position FROM $schema.mr_positions WHERE owner = $1 ORDER BY position FOR UPDATE) AS mine
       WHERE p.position = mine.position`,
    ),
    member,
  );
}

/** What may have been under way when the holder before died is done. */
export async function recovered({ session, place }: Pick<Taking, "session" | "place">, positions: readonly Position[]) {
  await session.rows(
    place.texts.of(
      "recovered",
      `UPDATE $schema.mr_positions AS p SET crashes = 0 FROM (
         SELECT q.position FROM unnest($1::bigint[], $2::bigint[]) AS w(position, epoch)
         JOIN $schema.mr_positions AS q ON q.position = w.position AND q.epoch = w.epoch
         ORDER BY q.position FOR UPDATE OF q) AS mine WHERE p.position = mine.position`,
    ),
    positions.map(({ id }) => id),
    positions.map(({ epoch }) => epoch),
  );
}

/** The leases of a consumer change hands in one transaction at a time. */
async function alone(session: Session, consumer: string): Promise<void> {
  const locks = new Locks();
  locks.alone(`leases/${consumer}`);
  await locks.take(session);
}

/** Takes, of each topic, what is free up to the fair share, and what the member holds already `anew`. */
async function take(taking: Taking, consumer: string, { anew }: { readonly anew: boolean }): Promise<Leased> {
  const { session, place, texts, member } = taking;
  const row = await session.row(
    place.texts.of("heard", "SELECT topics FROM $schema.mr_consumers WHERE consumer = $1"),
    consumer,
  );
  if (row === undefined)
    throw new Failure("POSITION_MISSING", `${consumer} is not registered any more; restart to register it anew`);
  const among = amongOf(await readMembers(session, texts), { consumer, member });
  const leases = await readLeases(session, place, consumer);
  const held: Position[] = [];
  const taken: Lease[] = [];
  const surplus = new Set<number>();
  for (const { topic, types } of decodeSubscriptions(row[0] as string)) {
    // Left, and remembered in case it is heard again.
    if (types.length === 0) continue;
    const of = leases.filter(({ position }) => position.topic === topic);
    const mine = of.filter(({ owner }) => owner === member);
    const free = of.filter(({ owner }) => owner !== member && !among.alive.has(owner));
    const share = fairShare({ member, topic }, among.sharing, of.length);
    const more = free.slice(0, Math.max(0, share - mine.length));
    if (anew) taken.push(...mine);
    else held.push(...mine.map(({ position }) => position));
    taken.push(...more);
    for (const { position } of [...mine, ...more].slice(share)) surplus.add(position.id);
  }
  held.push(...(await takeOver(taking, taken)));
  return { held: held.sort(byPlace), surplus: held.filter(({ id }) => surplus.has(id)) };
}

function amongOf(
  members: Awaited<ReturnType<typeof readMembers>>,
  { consumer, member }: { readonly consumer: string; readonly member: string },
): Among {
  const alive = members.filter((one) => one.alive || one.member === member);
  const sharing = alive.filter((one) => one.member === member || one.consumers.includes(consumer));
  return {
    alive: new Set(alive.map((one) => one.member)),
    sharing: [...new Set([member, ...sharing.map((one) => one.member)])],
  };
}

async function readLeases(session: Session, place: Place, consumer: string): Promise<readonly Lease[]> {
  const rows = await session.rows(
    place.texts.of(
      "leases",
      `SELECT owner, ${positionColumns} FROM $schema.mr_positions WHERE consumer = $1 ORDER BY topic, partition`,
    ),
    consumer,
  );
  return rows.map(([owner, ...columns]) => ({
    position: decodePosition(positionRow(columns)),
    owner: owner as string,
  }));
}

/** A new epoch for each: from now on whatever its holder before sends is refused. A commit under way is waited for. */
async function takeOver({ session, place, member }: Taking, taken: readonly Lease[]): Promise<readonly Position[]> {
  if (taken.length === 0) return [];
  const ids = taken.map(({ position }) => position.id);
  await session.rows(
    place.texts.of(
      "take",
      "SELECT 1 FROM $schema.mr_positions WHERE position = ANY($1::bigint[]) ORDER BY position FOR UPDATE",
    ),
    ids,
  );
  const rows = await session.rows(
    place.texts.of(
      "takeOver",
      `UPDATE $schema.mr_positions SET epoch = epoch + 1, owner = $2,
         crashes = crashes + CASE WHEN owner IN ('', $2) THEN 0 ELSE 1 END
       WHERE position = ANY($1::bigint[]) RETURNING ${positionColumns}`,
    ),
    ids,
    member,
  );
  return rows.map((columns) => decodePosition(positionRow(columns) as PositionRow));
}

function byPlace(a: Position, b: Position): number {
  return a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1;
}
