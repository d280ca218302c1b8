import { type Projection, projection, service } from "millrace";
import { z } from "zod";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { now, openLoop, rate } from "./load.js";
import { customerOf, order, orders } from "./order.js";
import { owner, preload, startApp } from "./orders-app.js";
import { PlainGroups } from "./plain-sqlite.js";
import { latency } from "./statistics.js";

const Spent = z.object({ orders: z.int(), spentPence: z.int() });
type Spent = z.infer<typeof Spent>;

const add = (row: Spent = { orders: 0, spentPence: 0 }, pence: number): Spent => ({
  orders: row.orders + 1,
  spentPence: row.spentPence + pence,
});

const totalOf = (tiny: boolean) => (tiny ? 1_000 : 400_000);
const livePerSecond = 5_000;
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
const groupEvents = 100_000;

/** The least: parsed events, rows in memory, and what changed upserted now and then, with the position. */
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
  let changed = new Set<string>();
  for (let from = 0; from < total; from += together) {
    const events = JSON.parse((read.get(from) as { readonly body: string }).body) as {
      customerId: string;
      totalPence: number;
    }[];
    for (const { customerId, totalPence } of events) {
      states.set(customerId, add(states.get(customerId), totalPence));
      changed.add(customerId);
    }
    if ((from + together) % groupEvents !== 0 && from + together < total) continue;
    await groups.add(() => {
      for (const id of changed) upsert.run(id, from, JSON.stringify(states.get(id)));
      position.run(from);
    });
    changed = new Set();
  }
  const measured = rate(start, total);
  await groups.close();
  return measured;
}

/** A steady offer, and how long each event takes to be handled by a service that does nothing, while a view is built or not. */
async function live({ dir, tiny }: Round, building: boolean) {
  await preload(dir, totalOf(tiny));
  const view = (version: number) =>
    projection("spent", { version, row: Spent }).on(orders.placed, (row, { data }) => add(row, data.totalPence));
  const before = await startApp(dir, [owner, service("views").owns(view(1))]);
  await before.settled();
  await before.stop();
  const heard = new Map<string, () => void>();
  const reading = service("reading").on(orders.placed, { from: "end" }, ({ data }) => heard.get(data.orderId)?.());
  const app = await startApp(dir, [owner, reading, service("views").owns(view(building ? 2 : 1))]);
  const timesMs: number[] = [];
  // The load is there before it is measured, as it is where a view is rebuilt.
  const unmeasured = tiny ? 20 : livePerSecond;
  await openLoop(
    { perSecond: livePerSecond, total: unmeasured + (tiny ? 100 : 3 * livePerSecond) },
    async (n, dueMs) => {
      const placed = order(totalOf(tiny) + n);
      const handled = new Promise<void>((done) => heard.set(placed.orderId, done));
      await app.publish(orders.placed(placed));
      await handled;
      heard.delete(placed.orderId);
      if (n >= unmeasured) timesMs.push(performance.now() - dueMs);
    },
  );
  await app.stop();
  return latency(timesMs);
}

const calm = (round: Round) => live(round, false);
const building = (round: Round) => live(round, true);

/** Folding a backlog into rows, a row a key, and one row for all; and what that costs those who go on working. */
export const rebuildBenchmark: Benchmark = {
  trials: { rows, one, plain, calm, building },
  async run(stage) {
    const measured = await stage.alternate({ plain, rows, one }, { rounds: 5 });
    const lively = await stage.alternate({ calm, building }, { rounds: 5 });
    const ceiling = measured.plain.perSecond;
    const unit = "events/s";
    return [
      figure({ name: "rebuild", value: measured.rows.perSecond, unit, ceiling, goal: { atLeast: 200_000 } }),
      figure({ name: "rebuild.one-row", value: measured.one.perSecond, unit, ceiling, goal: { atLeast: 200_000 } }),
      figure({
        name: "rebuild.live.p99",
        value: lively.building.p99,
        unit: "ms",
        ceiling: lively.calm.p99,
        goal: { atMost: 2 * lively.calm.p99 },
      }),
    ];
  },
};

/** Reading a row in the process that folds it. */
export const queryBenchmark: Benchmark = {
  trials: { rows },
  async run(stage) {
    const { rows: read } = await stage.alternate({ rows }, { rounds: 3 });
    return [figure({ name: "query", value: read.getMs, unit: "ms, p50", goal: { atMost: 0.05 } })];
  },
};
