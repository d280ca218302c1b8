import type { Risk } from "../engine/halves.js";
import { translated } from "./errors.js";
import type { PgPool } from "./pool.js";
import { type Session, withSession } from "./session.js";

/** The oldest server whose snapshots and functions are all there. */
const versionMin = 140_000;
/** What one process of Millrace wants to have at least, beside what is in use. */
const connectionsMin = 8;

const asked = [
  "synchronous_commit",
  "fsync",
  "full_page_writes",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "max_connections",
  "superuser_reserved_connections",
] as const;

interface Settings {
  readonly version: number;
  readonly version_text: string;
  readonly standby: boolean;
  readonly encoding: string;
  readonly database: string;
  readonly role: string;
  readonly settings: Readonly<Record<(typeof asked)[number], string>>;
  readonly used: number;
  readonly unlogged: readonly string[];
}

/** The settings of a server that would break a promise of Millrace. */
export async function preflight(pool: PgPool, shared: string): Promise<Risk[]> {
  return translated(async () => {
    const settings = await withSession(pool, (session) => readSettings(session, shared));
    const pooled = await probePooling(pool);
    return [...risksOf(settings), ...(pooled === undefined ? [] : [pooled])];
  });
}

async function readSettings(session: Session, shared: string): Promise<Settings> {
  const [row] = await session.objects<Omit<Settings, "settings" | "unlogged"> & { settings: string; unlogged: string }>(
    `SELECT current_setting('server_version_num')::int AS version, current_setting('server_version') AS version_text,
       pg_is_in_recovery() AS standby, pg_encoding_to_char(d.encoding)::text AS encoding, d.datname::text AS database,
       current_user::text AS role,
       (SELECT json_object_agg(name, setting) FROM unnest($1::text[]) AS s(name), current_setting(name, true) AS setting)::text AS settings,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
       (SELECT coalesce(json_agg(c.oid::regclass::text), '[]') FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE c.relpersistence = 'u' AND c.relkind = 'r' AND starts_with(c.relname, 'mr_')
          AND (n.nspname = $2 OR starts_with(n.nspname, $2 || '_')))::text AS unlogged
     FROM pg_database AS d WHERE d.datname = current_database()`,
    asked,
    shared,
  );
  const found = row as NonNullable<typeof row>;
  return { ...found, settings: JSON.parse(found.settings), unlogged: JSON.parse(found.unlogged) };
}

function risksOf({
  version,
  version_text,
  standby,
  encoding,
  database,
  role,
  settings,
  used,
  unlogged,
}: Settings): Risk[] {
  const risks: Risk[] = [];
  const add = (name: string, what: string) => risks.push({ name, what });
  const mend = (setting: string, value: string) => `ALTER ROLE "${role}" SET ${setting} = '${value}', then start again`;
  if (version < versionMin)
    add(
      "postgres-version",
      `server_version is ${version_text}: Millrace needs 14 or newer, whose snapshots its relay reads; upgrade the server`,
    );
  if (standby)
    add(
      "standby",
      "pg_is_in_recovery() is true: this server is a standby, and nothing can be committed on it; give the address of the primary, or add target_session_attrs=read-write to it",
    );
  if (settings.synchronous_commit === "off")
    add(
      "synchronous-commit",
      `synchronous_commit is off: what was acknowledged, and sent to the log, can be gone after a crash of the server; ${mend("synchronous_commit", "on")}`,
    );
  if (settings.fsync === "off")
    add(
      "fsync",
      "fsync is off: a crash of the machine can lose or damage everything; ALTER SYSTEM SET fsync = on, then SELECT pg_reload_conf()",
    );
  if (settings.full_page_writes === "off")
    add(
      "full-page-writes",
      "full_page_writes is off: a crash of the machine can leave pages half written; ALTER SYSTEM SET full_page_writes = on, then SELECT pg_reload_conf()",
    );
  if (settings.default_transaction_isolation !== "read committed")
    add(
      "isolation",
      `default_transaction_isolation is ${settings.default_transaction_isolation}: a commit would check what it read before it had its locks; ${mend("default_transaction_isolation", "read committed")}`,
    );
  if (!standby && settings.default_transaction_read_only === "on")
    add(
      "read-only",
      `default_transaction_read_only is on: nothing can be committed; ${mend("default_transaction_read_only", "off")}`,
    );
  if (encoding !== "UTF8")
    add(
      "encoding",
      `the encoding of database ${database} is ${encoding}: not every event can be stored; make another one: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'`,
    );
  if (unlogged.length > 0)
    add(
      "unlogged-tables",
      `${unlogged.join(", ")} ${unlogged.length === 1 ? "is" : "are"} unlogged: a crash of the server empties them; ${unlogged.map((table) => `ALTER TABLE ${table} SET LOGGED`).join("; ")}`,
    );
  const [max, reserved] = [Number(settings.max_connections), Number(settings.superuser_reserved_connections)];
  const left = max - reserved - used;
  if (left < connectionsMin)
    add(
      "connections",
      `max_connections is ${max}, and ${Math.max(0, left)} are left: a process that gets none stops working and loses its leases; close others, or ALTER SYSTEM SET max_connections = ${max * 2} and restart the server`,
    );
  return risks;
}

/**
 * A proxy that pools transactions hands one connection of the server to many clients in turn: locks, prepared statements
 * and LISTEN would be lost or others'. Two clients that live at the same time then meet in one backend, or one client
 * meets another backend than before.
 */
async function probePooling(pool: PgPool): Promise<Risk | undefined> {
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
  if (same) return undefined;
  return {
    name: "transaction-pooling",
    what: "one connection of the server serves many clients in turn: a proxy like PgBouncer with pool_mode = transaction or statement lies between, and locks, prepared statements and LISTEN would be lost; connect to PostgreSQL itself, or set pool_mode = session",
  };
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
