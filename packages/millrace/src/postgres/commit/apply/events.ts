import { plainArray } from "../../arrays.js";
import { outboxColumns } from "../../outbox-rows.js";
import type { Applying } from "./applying.js";

/** Ids that callers chose. */
export async function applyIdentities({ session, place, staged: { named }, now }: Applying): Promise<void> {
  if (named.size === 0) return;
  const all = [...named.values()];
  await session.rows(
    place.texts.of(
      "identify",
      `INSERT INTO $schema.mr_identities(source, id, digest, committed)
       SELECT source, id, digest, $4 FROM unnest($1::text[], $2::text[], $3::text[]) AS w(source, id, digest)`,
    ),
    all.map(({ record }) => record.source),
    all.map(({ record }) => record.id),
    all.map(({ digest }) => digest),
    now,
  );
}

/** Aggregates' events, and what their streams have come to. */
export async function applyStreams({ session, place, staged, now }: Applying): Promise<void> {
  const { streams, streamEvents, snapshots } = staged;
  if (streams.size > 0) {
    const all = [...streams.values()];
    await session.rows(
      place.texts.of(
        "stream",
        `INSERT INTO $schema.mr_streams(topic, key, version)
         SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
         ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version`,
      ),
      all.map(({ topic }) => topic),
      all.map(({ key }) => key),
      all.map(({ version }) => version),
    );
    await session.rows(
      place.texts.of(
        "streamEvents",
        `INSERT INTO $schema.mr_stream_events(topic, key, sequence, partition, id, source, correlation, committed, record)
         SELECT topic, key, sequence, partition, id, source, correlation, $9, record
         FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[])
           AS w(topic, partition, key, id, source, correlation, record, sequence)`,
      ),
      ...outboxColumns(streamEvents.map(({ record }) => record)),
      plainArray(streamEvents.map(({ sequence }) => sequence)),
      now,
    );
  }
  if (snapshots.size === 0) return;
  const all = [...snapshots.values()];
  await session.rows(
    place.texts.of(
      "snapshot",
      `INSERT INTO $schema.mr_snapshots(topic, key, version, fold, state)
       SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
       ON CONFLICT (topic, key) DO UPDATE SET version = excluded.version, fold = excluded.fold, state = excluded.state`,
    ),
    all.map(({ topic }) => topic),
    all.map(({ key }) => key),
    all.map(({ version }) => version),
    all.map(({ fold }) => fold),
    all.map(({ text }) => text),
  );
}
