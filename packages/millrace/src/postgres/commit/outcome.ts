import { Failure } from "../../failure/failure.js";
import type { Clock } from "../../runtime/clock.js";
import type { Logger } from "../../runtime/logger.js";
import { sqlState } from "../errors.js";
import type { PgPool } from "../pool.js";
import { withSession } from "../session.js";

/** How a transaction is asked for whose connection was lost. */
export interface Lost {
  readonly xid: number;
  /** The server process that ran it, if the driver told. */
  readonly backend: number | undefined;
  readonly cause: unknown;
}

interface Asking {
  readonly pool: PgPool;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Nobody waits for the answer any more. */
  closed(): boolean;
}

const waitMs = { first: 20, max: 1_000 };

// "invalid_parameter_value": a number that this server has not given out, so it has not committed it either.
const inTheFuture = "22023";

/**
 * Whether a transaction may be committed whose COMMIT was not answered. PostgreSQL is asked until it tells; that it has
 * forgotten the transaction is no "no".
 *
 * @throws {Failure} STORE_UNAVAILABLE when it could not be asked before this store was closed.
 */
export async function mayBeCommitted(lost: Lost, asking: Asking): Promise<boolean> {
  const { xid, cause } = lost;
  asking.logger.warn({ err: cause, xid }, "the answer to a commit was lost; PostgreSQL is asked for it");
  for (let wait = waitMs.first; !asking.closed(); wait = Math.min(wait * 2, waitMs.max)) {
    try {
      const status = await statusOf(lost, asking.pool);
      if (status !== "in progress") return status !== "aborted";
    } catch (error) {
      if (sqlState(error) === inTheFuture) return false;
      // The server does not answer yet.
    }
    await new Promise<void>((resolve) => asking.clock.after(wait, resolve));
  }
  throw new Failure("STORE_UNAVAILABLE", "the answer to a commit was lost, and PostgreSQL could not be asked for it", {
    cause,
  });
}

/** What pg_xact_status says: null of a transaction that is forgotten. */
async function statusOf({ xid, backend }: Lost, pool: PgPool): Promise<string | null> {
  return withSession(pool, async (session) => {
    const [status] = (await session.row("SELECT pg_xact_status($1::text::xid8)", xid)) as [string | null];
    // The server has not noticed that nobody listens: it is told.
    if (status === "in progress" && backend !== undefined)
      await session.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_xid = $2::text::xid8::xid",
        backend,
        xid,
      );
    return status;
  });
}
