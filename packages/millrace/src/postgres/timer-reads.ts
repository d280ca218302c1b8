import { decodeTimer, type TimerRow } from "../store/rows.js";
import type { DueTimer } from "../store/store.js";
import type { Sight } from "./sight.js";

/** What {@link decodeTimer} needs of a row. */
export const timerColumns = `timer, $service AS service, name, due, record, consumer, topic, partition, "offset"`;

/** Timers that wait with a correlation id, those due first first. */
export async function readTimers(sight: Sight, correlationId: string, limit: number): Promise<DueTimer[]> {
  const rows = await sight.all<TimerRow>(
    `SELECT ${timerColumns} FROM $schema.mr_timers WHERE correlation = $1 ORDER BY due, timer LIMIT ${limit}`,
    { order: "due, timer", limit },
    correlationId,
  );
  return rows.map(decodeTimer);
}
