import pg from "pg";
import { postgresLog } from "../postgres/log.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { migrateEngine } from "./migrate-engine.js";

// A program for migrate-engine.int.test.ts, which is killed at any moment: moves a folder into a database, and says so.

const [dir = "", url = "", schema = ""] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: url, max: 4 });
const context = { clock: systemClock, random: systemRandom, logger: silentLogger };
const log = await postgresLog({ pool, schema: `${schema}_log` }).open(context);
process.stdout.write("begins\n");
const { schemas } = await migrateEngine({ dir, log, pool, schema, now: systemClock.now() });
process.stdout.write(`moved ${schemas.length}\n`);
await log.close();
await pool.end();
