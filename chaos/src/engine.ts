import { type Engine, embedded, engine } from "millrace";
import type { Place } from "./ground.js";

const connections = 12;

/** The engine that a process opens. Clients of servers are loaded where they are used. */
export async function engineOf(place: Place, dir: string): Promise<Engine> {
  if (place.engine === "embedded") return embedded(place.dir);
  const [{ default: pg }, { postgresLog, postgresStore }] = await Promise.all([
    import("pg"),
    import("millrace/postgres"),
  ]);
  const pool = new pg.Pool({ connectionString: place.postgres, max: connections, connectionTimeoutMillis: 5_000 });
  // Who uses a connection hears of its end; those that nobody uses are replaced.
  pool.on("error", () => {});
  const store = postgresStore({ pool });
  if (place.engine === "postgres") return engine({ log: postgresLog({ pool }), store, dir });
  const { kafkaLog } = await import("millrace/kafka");
  const log = kafkaLog({ client: { bootstrapBrokers: place.kafka.split(",") }, prefix: place.prefix });
  // The clusters of a campaign may have one broker.
  return engine({ log, store, dir, acceptRisks: ["replication-factor"] });
}
