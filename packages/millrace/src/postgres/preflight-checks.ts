import type { Risk } from "../engine/halves.js";

/** The settings that are looked at. */
export const settingNames = [
  "synchronous_commit",
  "fsync",
  "full_page_writes",
  "default_transaction_isolation",
  "default_transaction_read_only",
  "max_connections",
  "superuser_reserved_connections",
] as const;

/** A server as one of its clients finds it. */
export interface Found {
  readonly version: number;
  readonly versionText: string;
  readonly standby: boolean;
  readonly encoding: string;
  readonly database: string;
  readonly role: string;
  readonly settings: Readonly<Record<(typeof settingNames)[number], string>>;
  /** Connections that clients have. */
  readonly used: number;
  /** Tables of Millrace that a crash of the server would empty. */
  readonly unlogged: readonly string[];
}

/** What a half of an engine would lose. */
interface Half {
  /** With what a risk of its own begins. */
  readonly said: string;
  readonly unsynced: string;
  readonly isolated: string;
  readonly readOnly: string;
  /** What one process wants to have at least, beside what is in use. */
  readonly connectionsMin: number;
  readonly starved: string;
}

/** The halves of an engine that PostgreSQL can be. */
export const halves = {
  store: {
    said: "",
    unsynced: "what was acknowledged, and sent to the log, can be gone after a crash of the server",
    isolated: "a commit would check what it read before it had its locks",
    readOnly: "nothing can be committed",
    connectionsMin: 8,
    starved: "a process that gets none stops working and loses its leases",
  },
  log: {
    said: "the log: ",
    unsynced: "what the relay has noted as sent, and consumers have handled, can be gone after a crash of the server",
    isolated: "two processes that append to one partition would fail instead of waiting for each other",
    readOnly: "nothing can be appended",
    connectionsMin: 4,
    starved: "a process that gets none neither reads nor appends",
  },
} as const satisfies Record<string, Half>;

/** One kind of risk: why the setting, with its value, breaks a promise (undefined when it does not), and what mends it. */
interface Check {
  readonly name: string;
  why(found: Found, half: Half): string | undefined;
  mend(found: Found): string;
}

/** The oldest server whose snapshots and functions are all there. */
const versionMin = 140_000;

const checks: readonly Check[] = [
  {
    name: "postgres-version",
    why: ({ version, versionText }) =>
      version < versionMin
        ? `server_version is ${versionText}: Millrace needs 14 or newer, whose snapshots its relay reads`
        : undefined,
    mend: () => "upgrade the server",
  },
  {
    name: "standby",
    why: ({ standby }, { readOnly }) =>
      standby ? `pg_is_in_recovery() is true: this server is a standby, and ${readOnly} on it` : undefined,
    mend: () => "give the address of the primary",
  },
  {
    name: "synchronous-commit",
    why: ({ settings }, { unsynced }) =>
      settings.synchronous_commit === "off" ? `synchronous_commit is off: ${unsynced}` : undefined,
    mend: ofRole("synchronous_commit", "on"),
  },
  {
    name: "fsync",
    why: ({ settings }) =>
      settings.fsync === "off" ? "fsync is off: a crash of the machine can lose or damage everything" : undefined,
    mend: () => "ALTER SYSTEM SET fsync = on, then SELECT pg_reload_conf()",
  },
  {
    name: "full-page-writes",
    why: ({ settings }) =>
      settings.full_page_writes === "off"
        ? "full_page_writes is off: a crash of the machine can leave pages half written"
        : undefined,
    mend: () => "ALTER SYSTEM SET full_page_writes = on, then SELECT pg_reload_conf()",
  },
  {
    name: "isolation",
    why: ({ settings: { default_transaction_isolation: isolation } }, { isolated }) =>
      isolation === "read committed" ? undefined : `default_transaction_isolation is ${isolation}: ${isolated}`,
    mend: ofRole("default_transaction_isolation", "read committed"),
  },
  {
    name: "read-only",
    why: ({ standby, settings }, { readOnly }) =>
      !standby && settings.default_transaction_read_only === "on"
        ? `default_transaction_read_only is on: ${readOnly}`
        : undefined,
    mend: ofRole("default_transaction_read_only", "off"),
  },
  {
    name: "encoding",
    why: ({ encoding, database }) =>
      encoding === "UTF8"
        ? undefined
        : `the encoding of database ${database} is ${encoding}: not every event can be stored`,
    mend: () => "make another one: CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'",
  },
  {
    name: "unlogged-tables",
    why: ({ unlogged }) =>
      unlogged.length === 0
        ? undefined
        : `${unlogged.join(", ")} ${unlogged.length === 1 ? "is" : "are"} unlogged: a crash of the server empties them`,
    mend: ({ unlogged }) => unlogged.map((table) => `ALTER TABLE ${table} SET LOGGED`).join("; "),
  },
  {
    name: "connections",
    why: (found, { connectionsMin, starved }) =>
      left(found) < connectionsMin
        ? `max_connections is ${found.settings.max_connections}, and ${Math.max(0, left(found))} are left: ${starved}`
        : undefined,
    mend: ({ settings }) =>
      `close others, or ALTER SYSTEM SET max_connections = ${Number(settings.max_connections) * 2} and restart the server`,
  },
];

/** What of a server would break a promise of this half. */
export function risksOf(found: Found, half: Half): Risk[] {
  return checks.flatMap(({ name, why, mend }) => {
    const reason = why(found, half);
    return reason === undefined ? [] : [{ name, what: `${half.said}${reason}; ${mend(found)}` }];
  });
}

/** A proxy lies between, so that no connection is ours. */
export function pooled({ said }: Half): Risk {
  return {
    name: "transaction-pooling",
    what: `${said}one connection of the server serves many clients in turn: a proxy like PgBouncer with pool_mode = transaction or statement lies between, and locks, prepared statements and LISTEN would be lost; connect to PostgreSQL itself, or set pool_mode = session`,
  };
}

function ofRole(setting: string, value: string): Check["mend"] {
  return ({ role }) => `ALTER ROLE "${role}" SET ${setting} = '${value}', then start again`;
}

function left({ settings, used }: Found): number {
  return Number(settings.max_connections) - Number(settings.superuser_reserved_connections) - used;
}
