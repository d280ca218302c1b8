import type { Applying } from "./applying.js";

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
