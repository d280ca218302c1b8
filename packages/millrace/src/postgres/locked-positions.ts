import { decodePosition, type PositionRow } from "../store/rows.js";
import type { Position } from "../store/unit.js";
import type { ServicePlace } from "./install.js";
import { positionColumns } from "./position-rows.js";
import type { Session } from "./session.js";

/**
 * Consumers' positions, locked by number as every commit locks them: nothing of these consumers is committed while the
 * transaction is under way, so that their lanes are this transaction's own as well.
 */
export async function lockPositions(
  session: Session,
  { schema }: ServicePlace,
  consumers: readonly string[],
): Promise<Position[]> {
  const rows = await session.objects<PositionRow>(
    `SELECT ${positionColumns} FROM ${schema}.mr_positions WHERE consumer = ANY($1::text[]) ORDER BY position FOR UPDATE`,
    consumers,
  );
  return rows.map(decodePosition);
}
