export type { PgClient, PgNotice, PgPool, PgQuery, PgResult } from "./pool.js";
