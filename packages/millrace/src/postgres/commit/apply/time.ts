import { encodeTimer } from "../../../store/rows.js";
import type { NewTimer } from "../../../store/timer.js";
import type { Place } from "../../places.js";
import type { Applying } from "./applying.js";

/** Fires, cancels and arms timers; advances schedules. */
export async function applyTime(applying: Applying): Promise<void> {
  const { session, place, places, staged } = applying;
  if (staged.fired.size > 0)
    await session.rows(place.texts.of("fired", "DELETE FROM $schema.mr_timers WHERE timer = ANY($1::bigint[])"), [
      ...staged.fired,
    ]);
  for (const [service, names] of staged.timerNames) {
    const { texts } = await places.of(service);
    await session.rows(texts.of("disarm", "DELETE FROM $schema.mr_timers WHERE name = ANY($1::text[])"), [...names]);
  }
  for (const [service, timers] of staged.timers)
    if (timers.length > 0) await arm(applying, await places.of(service), timers);
  if (staged.ticks.size === 0) return;
  await session.rows(
    place.texts.of(
      "ticks",
      `UPDATE $schema.mr_schedules AS s SET next = w.next FROM unnest($1::text[], $2::bigint[]) AS w(schedule, next)
       WHERE s.schedule = w.schedule`,
    ),
    [...staged.ticks.keys()],
    [...staged.ticks.values()],
  );
}

async function arm({ session }: Applying, { texts }: Place, timers: readonly NewTimer[]): Promise<void> {
  await session.rows(
    texts.of(
      "arm",
      `INSERT INTO $schema.mr_timers(name, due, correlation, record, consumer, topic, partition, "offset")
       SELECT * FROM unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::int[], $8::bigint[])`,
    ),
    timers.map(({ name }) => name ?? null),
    timers.map(({ due }) => Math.ceil(due)),
    timers.map(({ record }) => record.correlationId ?? null),
    timers.map(({ record }) => encodeTimer(record)),
    timers.map(({ armed }) => armed?.consumer ?? null),
    timers.map(({ armed }) => armed?.topic ?? null),
    timers.map(({ armed }) => armed?.partition ?? null),
    timers.map(({ armed }) => armed?.offset ?? null),
  );
}
