import type { NewRecord } from "../../../log/log.js";
import { murmur2 } from "../../../log/murmur2.js";
import type { EventPlace, OperationResult } from "../../../store/unit.js";
import type { Applying } from "./applying.js";

/** Stores new operations, and what became of others. Returns the results that somebody had asked for. */
export async function applyOperations(applying: Applying): Promise<readonly OperationResult[]> {
  const { staged } = applying;
  if (staged.operations.length > 0) await accept(applying);
  const told: OperationResult[] = [];
  let round: typeof staged.results = [];
  // Of several results for one operation, each is a statement of its own, in order.
  for (const one of staged.results) {
    if (round.some(({ result }) => result.operation === one.result.operation)) {
      told.push(...(await finish(applying, round)));
      round = [];
    }
    round.push(one);
  }
  if (round.length > 0) told.push(...(await finish(applying, round)));
  return told;
}

async function accept({ session, place, staged, now }: Applying): Promise<void> {
  const all = staged.operations;
  await session.rows(
    place.texts.of(
      "operation",
      `INSERT INTO $shared.mr_operations(operation, scope, idempotency, fingerprint, command, key, correlation, state, created)
       SELECT operation, scope, idempotency, fingerprint, command, key, correlation, 'accepted', $8
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[])
         AS w(operation, scope, idempotency, fingerprint, command, key, correlation)`,
    ),
    all.map(({ id }) => id),
    all.map(({ idempotency }) => idempotency?.scope ?? null),
    all.map(({ idempotency }) => idempotency?.key ?? null),
    all.map(({ fingerprint }) => fingerprint ?? null),
    all.map(({ command }) => command),
    all.map(({ key }) => key),
    all.map(({ correlationId }) => correlationId),
    now,
  );
}

async function finish(
  { session, place, now }: Applying,
  round: Applying["staged"]["results"],
): Promise<readonly OperationResult[]> {
  const rows = await session.rows(
    place.texts.of(
      "finish",
      `UPDATE $shared.mr_operations AS o SET state = w.state, refused = w.refused, detail = w.detail, finished = $6,
         events = coalesce(w.events, o.events)
       FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS w(operation, state, refused, detail, events)
       WHERE o.operation = w.operation AND o.state IN ('accepted', 'failed') RETURNING o.operation`,
    ),
    round.map(({ result }) => result.operation),
    round.map(({ result }) => result.state),
    round.map(({ result }) => result.refused ?? null),
    round.map(({ result }) => result.detail ?? null),
    round.map(({ records }) => (records.length === 0 ? null : JSON.stringify(records.map(placeOf)))),
    now,
  );
  const finished = new Set(rows.map(([operation]) => operation));
  return round.map(({ result }) => result).filter(({ operation }) => finished.has(operation));
}

function placeOf({ topic, partition, offset, type, key, source, id }: NewRecord): EventPlace {
  return { topic, partition, offset, type, keyHash: murmur2(key), source, id };
}
