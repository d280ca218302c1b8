import type { PositionRow } from "../store/rows.js";

/** What is read of mr_positions, in order. */
export const positionColumns = "position, consumer, topic, partition, epoch, generation, crashes, frontier, finished";

const names = positionColumns.split(", ");

/** A row of {@link positionColumns}. */
export function positionRow(columns: readonly unknown[]): PositionRow {
  return Object.fromEntries(names.map((name, index) => [name, columns[index]])) as unknown as PositionRow;
}
