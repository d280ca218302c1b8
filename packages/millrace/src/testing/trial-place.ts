import { randomBytes } from "node:crypto";
import pg from "pg";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { kafkaLog } from "../kafka/kafka.js";
import { engine } from "../outbox/engine.js";
import { postgresLog } from "../postgres/log.js";
import { postgresStore } from "../postgres/postgres-store.js";
import { tempFolder } from "./trial.js";
import { trialDatabase } from "./trial-database.js";
import { trialServers } from "./trial-services.js";

/** Where a trial has everything, as its processes are told: a folder with the file, or beside what servers hold. */
export interface TrialPlace {
  readonly dir: string;
  /** A URL. */
  readonly postgres?: string;
  /** `host:port,host:port`; without it, PostgreSQL is the log, too. */
  readonly kafka?: string;
  /** Put before the names of topics. */
  readonly prefix?: string;
}

/** The inverse of what a process is told in its arguments: the folder alone, or all as JSON. */
export function placeOf(text = "."): TrialPlace {
  return text.startsWith("{") ? (JSON.parse(text) as TrialPlace) : { dir: text };
}

/** A place as an argument of a process. */
export function placeText(place: TrialPlace): string {
  return place.postgres === undefined ? place.dir : JSON.stringify(place);
}

/** The engine there. Its connections do not keep a process from ending. */
export function engineAt({ dir, postgres, kafka, prefix = "" }: TrialPlace): Engine {
  if (postgres === undefined) return embedded(dir);
  const pool = new pg.Pool({ connectionString: postgres, max: 10, allowExitOnIdle: true });
  pool.on("error", () => {});
  pools.add(pool);
  const store = postgresStore({ pool });
  if (kafka === undefined) return engine({ log: postgresLog({ pool }), store, dir });
  const log = kafkaLog({ client: { bootstrapBrokers: kafka.split(",") }, prefix });
  return engine({ log, store, dir, acceptRisks: ["replication-factor"] });
}

/** A kind of engine that tests are to run on. */
export interface TrialGround {
  readonly name: "postgres" | "kafka+postgres";
  /** A place that nothing has used yet. */
  fresh(): Promise<TrialPlace & { readonly postgres: string }>;
}

const made = new Set<{ drop(): Promise<void> }>();
const pools = new Set<pg.Pool>();

/** The kinds of servers that there are, for the tests of a file; those that are missing say why. */
export async function trialGrounds(): Promise<readonly TrialGround[]> {
  const [postgres, kafka] = [await trialServers("postgres"), await trialServers("kafka/1")];
  if (postgres === undefined) return [];
  const fresh = async () => {
    const database = await trialDatabase(postgres);
    if (database === undefined) throw new Error("PostgreSQL has gone");
    made.add(database);
    return { dir: tempFolder(), postgres: database.url };
  };
  const alone: TrialGround = { name: "postgres", fresh };
  if (kafka === undefined) return [alone];
  const prefix = () => `t${randomBytes(5).toString("hex")}.`;
  const both = async () => ({ ...(await fresh()), kafka: kafka.address, prefix: prefix() });
  return [alone, { name: "kafka+postgres", fresh: both }];
}

/** Drops the databases that the tests of a file have used. */
export async function dropPlaces(): Promise<void> {
  await Promise.all([...pools].map((pool) => pool.end()));
  pools.clear();
  await Promise.all([...made].map((database) => database.drop()));
  made.clear();
}
