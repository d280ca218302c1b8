import type { SeenLog } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { Awaitable } from "../log/log.js";
import { storeFailure } from "./errors.js";
import { LogBlocks } from "./log-reader.js";
import { LogTopics } from "./log-topics.js";
import type { PgPool } from "./pool.js";
import { preflight } from "./preflight.js";

/** The schema of a log, unless another is given. */
export const logSchemaDefault = "millracelog";

/** Where a log is, and what is known of its topics. */
export interface LogPlace {
  readonly pool: PgPool;
  readonly schema: string;
  readonly topics: LogTopics;
}

/** A log in tables of PostgreSQL that is only read. */
export function seenLog({
  pool,
  schema = logSchemaDefault,
}: {
  readonly pool: PgPool;
  readonly schema?: string | undefined;
}): SeenLog {
  return readsOfLog({ pool, schema, topics: new LogTopics(pool, schema) });
}

/** The reads of a log in tables. */
export function readsOfLog({ pool, schema, topics }: LogPlace): SeenLog {
  const blocks = new LogBlocks(pool, schema, topics);
  return {
    read: (request) => reachable(() => blocks.read(request)),
    record: (place) => reachable(() => blocks.record(place)),
    ends: (topic) => reachable(() => blocks.ends(topic)),
    starts: (topic) => reachable(() => blocks.starts(topic)),
    offsetsAt: (topic, moment) => reachable(() => blocks.offsetsAt(topic, moment)),
    topics: () => reachable(() => topics.all()),
    preflight: () => reachable(() => preflight(pool, schema, "log")),
  };
}

/** What PostgreSQL cannot do just now is tried again. */
export async function reachable<T>(work: () => Awaitable<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const failure = storeFailure(error);
    if (failure.code !== "STORE_UNAVAILABLE" && failure.code !== "STATEMENT_FAILED") throw failure;
    throw new Failure("LOG_UNAVAILABLE", `the log in PostgreSQL cannot be used at the moment: ${failure.message}`, {
      cause: error,
    });
  }
}
