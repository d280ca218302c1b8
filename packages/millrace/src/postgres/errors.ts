import { Failure, isFailure } from "../failure/failure.js";

// SQLSTATE classes and codes: PostgreSQL's documentation, appendix A.
const full = new Set(["53100"]);
const damaged = new Set(["XX001", "XX002"]);
const readOnly = "25006";
const unavailable = new Set([
  ...["25P03", "25P04", "40001", "40P01", "53000", "53200", "53300", "53400", "55000", "55P03", "57014", "57P01"],
  ...["57P02", "57P03", "57P04", "57P05", "58000", "58030", "28000", "28P01", "3D000"],
]);
// 42501 insufficient_privilege, 42P01 undefined_table and 3F000 invalid_schema_name of our own tables.
const notOurs = new Set(["42501", "42P01", "3F000"]);

/** The SQLSTATE of an error of the server; undefined when it is of the driver or of the connection. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/** The connection is of no use any more: what it was asked may or may not have been done. */
export function isConnectionLost(error: unknown): boolean {
  if (isFailure(error)) return false;
  const state = sqlState(error);
  return (
    state === undefined || state.startsWith("08") || state.startsWith("57P") || state === "25P03" || state === "25P04"
  );
}

/** Another transaction stood in the way: the same again may succeed at once. */
export function isLockConflict(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40P01" || state === "40001";
}

/** A row's day has no partition any more, or has just got one: it is found or made anew. */
export function isPartitionMissing(error: unknown): boolean {
  return sqlState(error) === "23514" && /^mr_(inbox_far|outbox)$/.test(String((error as { table?: unknown }).table));
}

/** What was to be stored is refused, or more than a transaction can lock: less of it may be stored. */
export function isDataError(error: unknown): boolean {
  const state = sqlState(error);
  return !isFailure(error) && state !== undefined && (/^(22|23|54)/.test(state) || state === "53200");
}

/** What an error of PostgreSQL means to us. One that is about a statement's data becomes STATEMENT_FAILED. */
export function storeFailure(error: unknown): Failure {
  if (isFailure(error)) return error;
  const message = error instanceof Error ? messageOf(error) : String(error);
  const state = sqlState(error);
  const cause = { cause: error };
  if (state !== undefined && full.has(state))
    return new Failure(
      "STORE_FULL",
      `PostgreSQL has no space left: ${message}; nothing was stored. Free space, work goes on by itself`,
      cause,
    );
  if (state !== undefined && damaged.has(state))
    return new Failure("STORE_DAMAGED", `the database is damaged: ${message}; stop, and restore a backup`, cause);
  if (state === readOnly)
    return new Failure(
      "STORE_UNAVAILABLE",
      `PostgreSQL takes no writes: ${message}; give the address of the primary, not of a standby, and see that default_transaction_read_only is off`,
      cause,
    );
  if (state === undefined || state.startsWith("08") || unavailable.has(state))
    return new Failure("STORE_UNAVAILABLE", `PostgreSQL cannot be used at the moment: ${message}`, cause);
  return new Failure("STATEMENT_FAILED", message, cause);
}

/** What an error means where no data of a user can be at fault. */
export function ownFailure(error: unknown): Failure {
  const failure = storeFailure(error);
  if (isFailure(error) || failure.code !== "STATEMENT_FAILED") return failure;
  const database = /^permission denied for database (.+)$/.exec(failure.message)?.[1];
  const owned = database === undefined ? "" : `have CREATE on database ${database}, and `;
  const advice = notOurs.has(sqlState(error) ?? "")
    ? `its user must ${owned}own the schemas of Millrace, or be granted all in them`
    : 'run "millrace doctor"';
  return new Failure(
    "STORE_UNAVAILABLE",
    `PostgreSQL refuses Millrace's own statement: ${failure.message}; ${advice}`,
    {
      cause: error,
    },
  );
}

/** Runs `work`; what PostgreSQL refuses becomes one of our failures. */
export async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ownFailure(error);
  }
}

/** An error of many addresses, all refused, has no message of its own. */
function messageOf(error: Error): string {
  if (error.message !== "") return error.message;
  const [first] = (error as Error & { errors?: readonly unknown[] }).errors ?? [];
  return first instanceof Error ? first.message : error.name;
}
