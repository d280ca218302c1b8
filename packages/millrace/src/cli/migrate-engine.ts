import { Failure } from "../failure/failure.js";
import { engineName, halvesFromEnv } from "../main/engine-from-env.js";
import { openServers } from "../main/engine-halves.js";
import { type Migrated, type MigrationPlan, migrateEngine, planMigration } from "../migrate/migrate-engine.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { confirm } from "./ask.js";
import type { CommonOptions } from "./options.js";
import { openOutput, printOne, readFormat } from "./output.js";

interface MigrateOptions extends CommonOptions {
  readonly from: string;
  readonly to: string;
  readonly dryRun?: boolean;
  readonly withoutTables?: boolean;
  readonly yes?: boolean;
}

/** Moves the embedded engine's file to the servers that the environment names. */
export async function migrate(options: MigrateOptions): Promise<void> {
  const output = openOutput(readFormat(options.output));
  if (options.from !== "embedded")
    throw new Failure("OPTION_INVALID", `--from takes embedded, not ${options.from}`, { details: { option: "from" } });
  const halves = halvesFromEnv(process.env);
  if (halves === undefined || engineName(halves) !== options.to)
    throw new Failure(
      "OPTION_INVALID",
      `--to ${options.to} needs MILLRACE_STORE=postgres://…${options.to.startsWith("kafka") ? " and MILLRACE_LOG=kafka://…" : ""}; the environment names ${halves === undefined ? "no server" : engineName(halves)}`,
      { details: { option: "to" } },
    );
  const plan = planMigration(options.dir);
  if (options.dryRun === true) {
    printOne(output, plan, () => planned(plan, options.to));
    return;
  }
  await confirm(options, `Move ${options.dir} to ${options.to}?`);
  const servers = await openServers(halves);
  try {
    const log = await servers.log.open({ clock: systemClock, random: systemRandom, logger: silentLogger });
    try {
      const { schema } = halves.store;
      const { dir, withoutTables = false } = options;
      const moved = await migrateEngine({
        ...{ dir, log, pool: servers.pool, withoutTables, now: systemClock.now() },
        ...(schema !== undefined && { schema }),
      });
      printOne(output, moved, () => done(moved, options));
    } finally {
      await log.close();
    }
  } finally {
    await servers.end();
  }
}

function planned({ topics, services, shared, ownTables }: MigrationPlan, to: string): string[] {
  const own = ownTables.join(", ");
  return [
    ...topics.map(({ topic, partitions, records }) => `topic ${topic}: ${records} events in ${partitions} partitions`),
    ...services.map(({ service, rows }) => `service ${service}: ${rows} rows`),
    `shared: ${Object.entries(shared)
      .map(([table, rows]) => `${rows} in ${table}`)
      .join(", ")}`,
    ...(own === "" ? [] : [`not moved, services' own tables: ${own}`]),
    `nothing was written; without --dry-run all of it goes to ${to}`,
  ];
}

function done({ topics, schemas }: Migrated, { dir, to }: MigrateOptions): string[] {
  return [
    ...topics.map(
      ({ topic, records, checksum }) => `topic ${topic}: ${records} events, the same on both sides (${checksum})`,
    ),
    ...schemas.map(({ schema, tables }) => {
      const rows = Object.values(tables).reduce((sum, count) => sum + count, 0);
      return `schema ${schema}: ${rows} rows, compared`;
    }),
    `moved to ${to}. Start the app with the same environment; ${dir} stays as it is, and is not to be used again`,
  ];
}
