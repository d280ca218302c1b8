import type { Clock } from "../../runtime/clock.js";
import { sqlState } from "../errors.js";
import type { PgPool } from "../pool.js";
import { withSession } from "../session.js";

/** What became of a transaction whose COMMIT was not answered. unknown: PostgreSQL has forgotten it. */
export type Fate = "committed" | "aborted" | "unknown";

/** How a transaction is asked for whose connection was lost. */
export interface Lost {
  readonly xid: number;
  /** The server process that ran it, if the driver told. */
  readonly backend: number | undefined;
}

export interface Asking {
  readonly pool: PgPool;
  readonly clock: Clock;
  /** Nobody waits for the answer any more. */
  closed(): boolean;
}

const waitMs = { first: 20, max: 1_000 };

// "invalid_parameter_value": a number that this server has not given out, so it has not committed it either.
const inTheFuture = "22023";

/** Asks PostgreSQL until it tells; undefined when it could not be asked before this store was closed. */
export async function fateOf(lost: Lost, asking: Asking): Promise<Fate | undefined> {
  for (let wait = waitMs.first; !asking.closed(); wait = Math.min(wait * 2, waitMs.max)) {
    try {
      const fate = await ask(lost, asking.pool);
      if (fate !== undefined) return fate;
    } catch (error) {
      if (sqlState(error) === inTheFuture) return "aborted";
      // The server does not answer yet.
    }
    await new Promise<void>((resolve) => asking.clock.after(wait, resolve));
  }
  return undefined;
}

async function ask({ xid, backend }: Lost, pool: PgPool): Promise<Fate | undefined> {
  return withSession(pool, async (session) => {
    const [status] = (await session.row("SELECT pg_xact_status($1::text::xid8)", xid)) as [string | null];
    if (status === "committed" || status === "aborted") return status;
    if (status === null) return "unknown";
    // The server has not noticed that nobody listens: it is told.
    if (backend !== undefined)
      await session.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_xid = $2::text::xid8::xid",
        backend,
        xid,
      );
    return undefined;
  });
}
