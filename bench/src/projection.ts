import { type Projection, projection, service } from "millrace";
import { z } from "zod";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { now, rate } from "./load.js";
import { customerOf, order, orders } from "./order.js";
import { owner, preload, startApp } from "./orders-app.js";
import { PlainGroups } from "./plain-sqlite.js";

const Spent = z.object({ orders: z.int(), spentPence: z.int() });
type Spent = z.infer<typeof Spent>;

const add = (row: Spent = { orders: 0, spentPence: 0 }, pence: number): Spent => ({
  orders: row.orders + 1,
  spentPence: row.spentPence + pence,
});

const totalOf = (tiny: boolean) => (tiny ? 1_000 : 400_000);
const getsTotal = (tiny: boolean) => (tiny ? 100 : 20_000);

/** A backlog of orders, from the start of the consumer until all are folded. */
async function folded({ dir, tiny }: Round, view: Projection<Spent>, last: string) {
  const total = totalOf(tiny);
  await preload(dir, total);
  const start = now();
  const app = await startApp(dir, [owner, service("views").owns(view)]);
  await app.settled();
  const measured = rate(start, total);
  const rows = app.projection(view);
  const row = await rows.get(last);
  const timesMs: number[] = [];
  for (let n = 0; n < getsTotal(tiny); n += 1) {
    const before = performance.now();
    await rows.get(customerOf(n));
    timesMs.push(performance.now() - before);
  }
  await app.stop();
  const expected = last === "all" ? total : order(total - 1).sequence;
  if (row?.orders !== expected) throw new Error(`${last} has ${row?.orders} of ${expected} orders`);
  timesMs.sort((a, b) => a - b);
  return { ...measured, getMs: timesMs[Math.floor(timesMs.length / 2)] as number };
}

/** A row for each customer. */
async function rows(round: Round) {
  const view = projection("spent", { version: 1, row: Spent, indexes: ["spentPence"] }).on(
    orders.placed,
    (row, { data }) => add(row, data.totalPence),
  );
  return folded(round, view, customerOf(totalOf(round.tiny) - 1));
}

/** One row for all: what many keys fold into the same one must not run again and again. */
async function one(round: Round) {
  const view = projection("spent", { version: 1, row: Spent, commutative: true }).on(
    orders.placed,
    { key: () => "all" },
    (row, { data }) => add(row, data.totalPence),
  );
  return folded(round, view, "all");
}

const schema = `
CREATE TABLE log(pos INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE state(id TEXT PRIMARY KEY, version INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE positions(consumer INTEGER PRIMARY KEY, frontier INTEGER NOT NULL);
INSERT INTO positions VALUES (1, 0);`;
const together = 500;

/** The least: parsed events, rows in memory, and what changed upserted for every 500 events, with the position. */
async function plain({ dir, tiny }: Round) {
  const total = totalOf(tiny);
  const groups = new PlainGroups<() => void>({ dir, schema, itemBytes: 50_000, prepare: () => (write) => write() });
  const { database } = groups;
  const insert = database.prepare("INSERT INTO log VALUES (?, ?)");
  const body = (from: number) =>
    JSON.stringify(Array.from({ length: Math.min(together, total - from) }, (_, n) => order(from + n)));
  for (let from = 0; from < total; from += together) insert.run(from, body(from));
  const read = database.prepare("SELECT body FROM log WHERE pos = ?");
  const upsert = database.prepare(
    "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, data = excluded.data",
  );
  const position = database.prepare("UPDATE positions SET frontier = ? WHERE consumer = 1");
  const states = new Map<string, Spent>();
  const start = now();
  for (let from = 0; from < total; from += together) {
    const events = JSON.parse((read.get(from) as { readonly body: string }).body) as {
      customerId: string;
      totalPence: number;
    }[];
    const changed = new Set<string>();
    for (const { customerId, totalPence } of events) {
      states.set(customerId, add(states.get(customerId), totalPence));
      changed.add(customerId);
    }
    await groups.add(() => {
      for (const id of changed) upsert.run(id, from, JSON.stringify(states.get(id)));
      position.run(from);
    });
  }
  const measured = rate(start, total);
  await groups.close();
  return measured;
}

/** Folding a backlog into rows: a row a key, and one row for all; and reading a row. */
export const projectionBenchmark: Benchmark = {
  trials: { rows, one, plain },
  async run(stage) {
    const measured = await stage.alternate({ plain, rows, one }, { rounds: 5 });
    const ceiling = measured.plain.perSecond;
    const unit = "events/s";
    return [
      figure({ name: "projection.rows", value: measured.rows.perSecond, unit, ceiling, goal: { atLeast: 200_000 } }),
      figure({ name: "projection.one", value: measured.one.perSecond, unit, ceiling, goal: { atLeast: 200_000 } }),
      figure({ name: "projection.get", value: measured.rows.getMs, unit: "ms, p50", goal: { atMost: 0.05 } }),
    ];
  },
};
