import type { NewRecord } from "../log/log.js";
import type { ServicePlace } from "./install.js";
import { dayOf } from "./names.js";
import { correlationOf, outboxRecord } from "./outbox-rows.js";
import { makeDayIn, outboxDays } from "./partitions.js";
import type { Session } from "./session.js";

/** Where records are left, and when. */
export interface Leaving {
  readonly place: ServicePlace;
  readonly now: number;
}

/** Leaves records in a service's outbox, to be sent when the session's transaction is committed. */
export async function leaveRecords(
  session: Session,
  { place, now }: Leaving,
  records: readonly NewRecord[],
): Promise<void> {
  await makeDayIn(session, place.schema, outboxDays, dayOf(now));
  await session.rows(
    `INSERT INTO ${place.schema}.mr_outbox(topic, partition, key, id, source, correlation, committed, record)
     SELECT topic, partition, key, id, source, correlation, $8::bigint, record
     FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
       AS w(topic, partition, key, id, source, correlation, record)`,
    records.map(({ topic }) => topic),
    records.map(({ partition }) => partition),
    records.map(({ key }) => key),
    records.map(({ id }) => id),
    records.map(({ source }) => source),
    records.map(correlationOf),
    records.map(outboxRecord),
    now,
  );
}
