import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { engine, type LogAdapter, millrace, type Service, silentLogger } from "millrace";
import { postgresStore } from "millrace/postgres";
import type pg from "pg";
import { accounts, paymentsService } from "./accounts.js";
import type { Round } from "./benchmark.js";
import { now, rate } from "./load.js";
import { customerOf, order, orders } from "./order.js";
import { owner } from "./orders-app.js";
import { roundDatabase } from "./servers.js";

const together = 500;
const totalOf = (tiny: boolean) => (tiny ? 500 : 40_000);

/** A single broker on one disk has no second copy, here. */
export const risks = ["replication-factor", "min-insync-replicas"];

/**
 * A backlog of orders, from the first run of the handler until all is at rest, what it published sent to the log and passed.
 * PostgreSQL is the store.
 */
export async function handlesOn({ dir, tiny }: Round, logOn: (pool: pg.Pool) => LogAdapter) {
  const database = await roundDatabase();
  const { pool } = database;
  const start = async (services: readonly Service[]) => {
    const on = engine({ log: logOn(pool), store: postgresStore({ pool }), dir, acceptRisks: risks });
    const app = millrace({ services, engine: on, logger: silentLogger, signals: false, admin: false });
    await app.start();
    return app;
  };
  const total = totalOf(tiny);
  const first = await start([owner]);
  const sent = relayed(total);
  for (let n = 0; n < total; n += together)
    await first.publish(
      Array.from({ length: Math.min(together, total - n) }, (_, index) => orders.placed(order(n + index))),
    );
  await sent;
  await first.stop();
  let begun = now();
  let runs = 0;
  const service = paymentsService(() => {
    if (runs === 0) begun = now();
    runs += 1;
  });
  const app = await start([owner, service]);
  await app.settled();
  const measured = rate(begun, total);
  const last = order(total - 1);
  const final = await app.documents(accounts).get(last.customerId);
  await app.stop();
  await database.drop();
  if (runs < total || final?.orders !== last.sequence)
    throw new Error(`${runs} of ${total} orders were handled; the last customer has ${final?.orders} orders`);
  return measured;
}

/** Resolves when so many records have been sent to the log. */
function relayed(total: number): Promise<void> {
  return new Promise((resolve) => {
    let sent = 0;
    const heard = (fields: unknown) => {
      sent += (fields as { readonly records: number }).records;
      if (sent < total) return;
      unsubscribe("millrace:relayed", heard);
      resolve();
    };
    subscribe("millrace:relayed", heard);
  });
}

const group = 256;

/** The full unit of work as statements, 256 units in a transaction, one connection: inbox, state, an event, position. */
export async function units({ tiny }: Round) {
  const database = await roundDatabase();
  const client = await database.pool.connect();
  await client.query(`
    CREATE TABLE inbox(id text PRIMARY KEY);
    CREATE TABLE state(id text PRIMARY KEY, version bigint NOT NULL, data text NOT NULL) WITH (fillfactor = 85);
    CREATE TABLE outbox(seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(), record text NOT NULL);
    CREATE INDEX ON outbox(xid);
    CREATE TABLE positions(consumer integer PRIMARY KEY, frontier bigint NOT NULL) WITH (fillfactor = 50);
    INSERT INTO positions VALUES (1, 0);`);
  const body = JSON.stringify(order(0));
  const total = totalOf(tiny);
  const begun = now();
  for (let at = 0; at < total; at += group) {
    const numbers = Array.from({ length: Math.min(group, total - at) }, (_, n) => at + n);
    const states = new Map(
      numbers.map((n) => [customerOf(n), `{"customerId":"${customerOf(n)}","orders":1,"spentPence":${n}}`]),
    );
    await client.query("BEGIN");
    const run = (name: string, text: string, values: unknown[]) => client.query({ name, text, values });
    await run("position", "UPDATE positions SET frontier = $1 WHERE consumer = 1", [at]);
    await run("read", "SELECT id, version, data FROM state WHERE id = ANY($1) ORDER BY id FOR UPDATE", [
      [...states.keys()],
    ]);
    await run("inbox", "INSERT INTO inbox SELECT unnest($1::text[])", [
      numbers.map((n) => `0194a1b2-c3d4-7e5f-8a9b-${String(n).padStart(12, "0")}`),
    ]);
    await run(
      "state",
      "INSERT INTO state SELECT id, 1, data FROM unnest($1::text[], $2::text[]) AS w(id, data) ON CONFLICT (id) DO UPDATE SET version = state.version + 1, data = excluded.data",
      [[...states.keys()], [...states.values()]],
    );
    await run("outbox", "INSERT INTO outbox(record) SELECT unnest($1::text[])", [numbers.map(() => body)]);
    await client.query("COMMIT");
  }
  const measured = rate(begun, total);
  client.release();
  await database.drop();
  return measured;
}
