export type { MovedTopic } from "./copy-log.js";
export { type Migrated, type Migration, type MigrationPlan, migrateEngine, planMigration } from "./migrate-engine.js";
export type { MovedSchema } from "./write-rows.js";
