import type { Risk } from "../engine/halves.js";
import { translated } from "./errors.js";
import type { PgPool } from "./pool.js";
import { type Found, halves, pooled, risksOf, settingNames } from "./preflight-checks.js";
import { type Session, withSession } from "./session.js";

/** The settings of a server that would break a promise of this half of an engine. Takes two connections at a time. */
export async function preflight(pool: PgPool, schema: string, name: keyof typeof halves): Promise<Risk[]> {
  return translated(async () => {
    const found = await withSession(pool, (session) => look(session, schema));
    const half = halves[name];
    return [...risksOf(found, half), ...((await isPooled(pool)) ? [pooled(half)] : [])];
  });
}

async function look(session: Session, schema: string): Promise<Found> {
  const [row] = await session.objects<Omit<Found, "settings" | "unlogged"> & { settings: string; unlogged: string }>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS "versionText",
       pg_is_in_recovery() AS standby, pg_encoding_to_char(d.encoding)::text AS encoding, d.datname::text AS database,
       current_user::text AS role,
       (SELECT json_object_agg(name, setting) FROM unnest($1::text[]) AS s(name), current_setting(name, true) AS setting)::text AS settings,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       (SELECT coalesce(json_agg(c.oid::regclass::text), '[]') FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relpersistence = 'u' AND c.relkind = 'r' AND starts_with(c.relname, 'mr_')
          AND (n.nspname = $2 OR starts_with(n.nspname, $2 || '_')))::text AS unlogged
     FROM pg_database AS d WHERE d.datname = current_database()`,
    settingNames,
    schema,
  );
  const found = row as NonNullable<typeof row>;
  return { ...found, settings: JSON.parse(found.settings), unlogged: JSON.parse(found.unlogged) };
}

/**
 * A proxy that pools transactions hands one connection of the server to many clients in turn: locks, prepared statements
 * and LISTEN would be lost or others'. Two clients that live at the same time then meet in one backend, or one client
 * meets another backend than before.
 */
async function isPooled(pool: PgPool): Promise<boolean> {
  const same = await withSession(pool, (first) =>
    withSession(pool, async (second) => {
      const before = await mark(first);
      const other = await mark(second);
      await second.script("BEGIN");
      try {
        const within = await whose(second);
        const after = await whose(first);
        return (
          before.pid !== other.pid && within.pid === other.pid && after.pid === before.pid && after.mark === before.mark
        );
      } finally {
        await second.script("ROLLBACK");
      }
    }),
  );
  return !same;
}

interface Backend {
  readonly pid: number;
  readonly mark: string;
}

/** Leaves a mark in the connection's session that it should find again. */
async function mark(session: Session): Promise<Backend> {
  const [row] = await session.objects<Backend>(
    "SELECT pg_backend_pid() AS pid, set_config('millrace.probe', pg_backend_pid() || ' ' || clock_timestamp(), false) AS mark",
  );
  return row as Backend;
}

async function whose(session: Session): Promise<Backend> {
  const [row] = await session.objects<Backend>(
    "SELECT pg_backend_pid() AS pid, coalesce(current_setting('millrace.probe', true), '') AS mark",
  );
  return row as Backend;
}
