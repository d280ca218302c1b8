export { type PostgresLogOptions, postgresLog } from "./log.js";
export type { PgClient, PgNotice, PgPool, PgQuery, PgResult } from "./pool.js";
export { type PostgresKeep, type PostgresStoreOptions, postgresStore } from "./postgres-store.js";
