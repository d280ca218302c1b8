import type { Act, ActOutcome } from "../store/operate.js";
import { encodeRanges } from "../store/rows.js";
import type { Seek } from "../store/seek.js";
import {
  goesBack,
  landing,
  type Move,
  movedPlaces,
  seekTarget,
  soughtTopics,
  waitingMuted,
} from "../store/seek-plan.js";
import { type Acting, acting, type OperateParts } from "./acting.js";
import { readRegistrations } from "./consumer-reads.js";
import type { ServicePlace } from "./install.js";
import { exportEntries, exportTimers, seekJob, seekJobOf } from "./job-exports.js";
import { freeHeads } from "./letters.js";
import { lockPositions } from "./locked-positions.js";
import { countWaiting, planMoves, rangesOf, readGrounds } from "./seek-reads.js";
import { look } from "./sight.js";

type Sought = ActOutcome & { readonly job?: number };

/**
 * Moves positions in one commit. Every position of the consumer gets a new epoch, so that nothing under way is stored; going
 * back, a new generation. Copies of events of partitions that stay where they are stay known.
 */
export async function seek(parts: OperateParts, asked: Seek, act: Act): Promise<Sought> {
  const registered = await look(parts, readRegistrations);
  const topics = soughtTopics(
    asked,
    registered.find(({ consumer }) => consumer === asked.consumer),
  );
  const grounds = await readGrounds(parts.log, asked, topics);
  return acting(parts, async (on) => {
    const target = seekTarget(asked);
    // Two of the same moment are one after the other: the second sees that the first is done.
    const place = await on.placeOf(asked.consumer);
    const positions = place === undefined ? [] : await lockPositions(on.session, place, [asked.consumer]);
    if (await on.wasDone("seek", target, act)) {
      const job = await seekJobOf(on, target, act);
      return { changed: 0, lanes: [], ...(job === undefined ? {} : { job }) };
    }
    const known = (await readRegistrations(on)).find(({ consumer }) => consumer === asked.consumer);
    const moves = planMoves(asked, known, { positions, grounds });
    return move(on, { place: place as ServicePlace, asked, target, moves }, act);
  });
}

interface Moving {
  readonly place: ServicePlace;
  readonly asked: Seek;
  readonly target: string;
  readonly moves: readonly Move[];
}

async function move(on: Acting, { place, asked, target, moves }: Moving, act: Act): Promise<Sought> {
  const { consumer, mute } = asked;
  const back = moves.filter((one) => goesBack(one, mute));
  const waiting = await countWaiting(on, place.service, back);
  const selection = `${target}${movedPlaces(moves)}`;
  if (mute)
    for (const one of back) {
      const at = waiting.find(({ topic, partition }) => isOf(one, topic, partition));
      if (at !== undefined && at.waiting > 0) throw waitingMuted(one, at.waiting);
    }
  const gone = !mute && waiting.some((one) => one.waiting + one.timers > 0);
  const job = gone ? await seekJob(on, selection, act) : undefined;
  const lanes = job === undefined ? [] : await takeBack(on, { place, back, job }, act);
  if (mute) await muteBack(on, place, back);
  else await unmute(on, place, back);
  await on.change(
    place,
    `UPDATE $schema.mr_positions SET owner = '', epoch = epoch + 1, generation = generation + $2, crashes = 0 WHERE consumer = $1`,
    consumer,
    back.length > 0 ? 1 : 0,
  );
  const landed = moves.map((one) => landing(one, mute));
  await on.change(
    place,
    // What is handled again is in the inbox again: until it has been, the inbox keeps the days of old events.
    `UPDATE $schema.mr_positions AS p SET frontier = m.frontier, finished = m.finished,
       handled = CASE WHEN m.back THEN least(p.handled, 1) ELSE p.handled END,
       pass = CASE WHEN m.back THEN p.generation ELSE p.pass END
     FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bool[]) AS m(position, frontier, finished, back) WHERE p.position = m.position`,
    moves.map(({ position }) => position.id),
    landed.map(({ frontier }) => frontier),
    landed.map(({ finished }) => encodeRanges(finished)),
    moves.map((one) => back.includes(one)),
  );
  await on.audit("seek", selection, act);
  return { changed: moves.length, lanes, ...(job === undefined ? {} : { job }) };
}

interface TakingBack {
  readonly place: ServicePlace;
  readonly back: readonly Move[];
  readonly job: number;
}

/** What waits from the new places on, and the timers armed there, is read from the log again. What waits behind it, from before, goes on. */
async function takeBack(on: Acting, { place, back, job }: TakingBack, act: Act): Promise<ActOutcome["lanes"]> {
  const consumer = back[0]?.position.consumer ?? "";
  const ranges = [consumer, ...rangesOf(back)];
  await exportTimers(on, { place, job }, ranges);
  const taken = await exportEntries(on, { place, job }, ranges);
  const lanes = [...new Set(taken.map(({ lane }) => lane))].map((lane) => ({ consumer, lane }));
  await freeHeads(on, place, { lanes, at: act.at });
  await on.changeShared(
    `UPDATE $shared.mr_job_items SET state = 'gone', detail = $2
     WHERE entry = ANY($1::bigint[]) AND state IN ('pending', 'redriven')`,
    taken.map(({ entry }) => entry),
    `${consumer} was moved back by ${act.actor}`,
  );
  return lanes;
}

/** Events below where it stood are muted for the consumer. */
async function muteBack(on: Acting, place: ServicePlace, back: readonly Move[]): Promise<void> {
  await on.change(
    place,
    `INSERT INTO $schema.mr_mutes(consumer, topic, partition, until)
     SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[])
     ON CONFLICT (consumer, topic, partition) DO UPDATE SET until = greatest(mr_mutes.until, excluded.until)`,
    back.map(({ position }) => position.consumer),
    back.map(({ position }) => position.topic),
    back.map(({ position }) => position.partition),
    back.map(({ position }) => position.frontier),
  );
}

async function unmute(on: Acting, place: ServicePlace, back: readonly Move[]): Promise<void> {
  await on.change(
    place,
    `DELETE FROM $schema.mr_mutes AS m USING unnest($1::text[], $2::text[], $3::int[]) AS b(consumer, topic, partition)
     WHERE m.consumer = b.consumer AND m.topic = b.topic AND m.partition = b.partition`,
    back.map(({ position }) => position.consumer),
    back.map(({ position }) => position.topic),
    back.map(({ position }) => position.partition),
  );
}

function isOf({ position }: Move, topic: string, partition: number): boolean {
  return position.topic === topic && position.partition === partition;
}
