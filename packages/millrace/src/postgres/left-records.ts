import type { NewRecord } from "../log/log.js";
import type { ServicePlace } from "./install.js";
import { dayOf } from "./names.js";
import { outboxColumns, outboxText } from "./outbox-rows.js";
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
    outboxText({ first: 1, committed: "$8::bigint" }).replace("$schema", () => place.schema),
    ...outboxColumns(records),
    now,
  );
}
