import { encodeRanges } from "../../../store/rows.js";
import type { Applying } from "./applying.js";

/** Positions as the group leaves them; their rows are locked, and their epochs were looked at. */
export async function applyPositions({ session, place, staged: { positions } }: Applying): Promise<void> {
  if (positions.size === 0) return;
  const facts = [...positions.values()];
  await session.rows(
    place.texts.of(
      "positions",
      `UPDATE $schema.mr_positions AS p SET frontier = w.frontier, finished = w.finished, handled = w.handled
       FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[]) AS w(position, frontier, finished, handled)
       WHERE p.position = w.position`,
    ),
    [...positions.keys()],
    facts.map(({ state }) => state.frontier),
    facts.map(({ state }) => encodeRanges(state.ranges)),
    facts.map(({ handled }) => handled),
  );
}

/** Notes for the audit record. */
export async function applyAudit({ session, place, staged: { audit }, now }: Applying): Promise<void> {
  if (audit.length === 0) return;
  await session.rows(
    place.texts.of(
      "audit",
      `INSERT INTO $shared.mr_audit(at, actor, act, target, reason)
       SELECT $5, actor, act, target, reason FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS w(actor, act, target, reason)`,
    ),
    audit.map(({ actor }) => actor),
    audit.map(({ act }) => act),
    audit.map(({ target }) => target),
    audit.map(({ reason }) => reason),
    now,
  );
}
