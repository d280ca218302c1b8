import { command, event, type Service, saga, service, topic } from "millrace";
import { z } from "zod";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { inFlight, now, rate } from "./load.js";
import { startApp } from "./orders-app.js";
import { PlainGroups } from "./plain-sqlite.js";

const Order = z.object({ orderId: z.string(), pence: z.int() });
type Placed = z.infer<typeof Order>;
const sales = topic("sales", { key: "orderId", events: { placed: event("sale.placed", Order) } });
const ends = topic("ends", {
  key: "orderId",
  events: { confirmed: event("end.confirmed", Order), failed: event("end.failed", Order) },
});
const steps = ["pay", "reserve", "ship"] as const;

/** A participant that does at once what it is asked to. */
function participant(name: (typeof steps)[number]) {
  const does = command(name, Order, { key: "orderId" });
  const undoes = command(`undo-${name}`, Order, { key: "orderId" });
  const replies = topic(`${name}-replies`, {
    key: "orderId",
    events: { done: event(`${name}.done`, Order), failed: event(`${name}.failed`, Order) },
  });
  const made: Service = service(name)
    .handle(does, { emits: [replies.done, replies.failed] }, ({ data }, ctx) => ctx.publish(replies.done(data)))
    .handle(undoes, () => undefined);
  return { made, does, undoes, replies };
}

function shop() {
  const parts = steps.map(participant);
  const fulfilment = saga("fulfilment", {
    startsOn: sales.placed,
    key: "orderId",
    state: ({ data }) => data,
    from: "beginning",
  })
    .completed((s) => ends.confirmed(s))
    .aborted((s) => ends.failed(s));
  for (const [index, { does, undoes, replies }] of parts.entries())
    fulfilment.step(steps[index] as string, {
      send: (s) => does(s),
      done: replies.done,
      failed: replies.failed,
      undo: (s) => undoes(s),
      timeout: "30s",
    });
  return { fulfilment, services: [service("sales").owns(sales, ends, fulfilment), ...parts.map(({ made }) => made)] };
}

const sizeOf = (tiny: boolean) => (tiny ? 200 : 20_000);
const together = 500;
const orderOf = (n: number): Placed => ({ orderId: `order-${String(n).padStart(10, "0")}`, pence: 5_320 });

/** A backlog of orders, from the start of the app until every saga has ended. */
async function sagas({ dir, tiny }: Round) {
  const total = sizeOf(tiny);
  const before = await startApp(dir, [service("sales").owns(sales)]);
  for (let n = 0; n < total; n += together)
    await before.publish(
      Array.from({ length: Math.min(together, total - n) }, (_, index) => sales.placed(orderOf(n + index))),
    );
  await before.stop();
  const { fulfilment, services } = shop();
  const start = now();
  const app = await startApp(dir, services);
  await app.settled();
  const measured = rate(start, total);
  const last = await app.saga(fulfilment).get(orderOf(total - 1).orderId);
  const open = await app.saga(fulfilment).find({ status: "running" }, { limit: 1 });
  await app.stop();
  if (last?.status !== "completed" || open.length > 0)
    throw new Error(`the last saga is ${last?.status}, and ${open.length === 0 ? "none" : "one at least"} still runs`);
  return measured;
}

const schema = `
CREATE TABLE log(pos INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE inbox(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state(id TEXT PRIMARY KEY, version INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE timers(id INTEGER PRIMARY KEY, due INTEGER NOT NULL);
CREATE TABLE positions(consumer INTEGER PRIMARY KEY, frontier INTEGER NOT NULL);
INSERT INTO positions VALUES (1, 0);`;

/** Units of one saga: its start, and for each step a command and a reply. */
const unitsOfSaga = 1 + 2 * steps.length;

/** The units of work of a saga as statements: four changes of its state, seven events, a timer. Nothing is decided. */
async function units({ dir, tiny }: Round) {
  const body = Buffer.from(JSON.stringify(orderOf(0)).padEnd(300));
  const state = JSON.stringify(orderOf(0)).padEnd(900);
  const groups = new PlainGroups<number>({
    dir,
    schema,
    itemBytes: 1_000,
    prepare(database) {
      const inbox = database.prepare("INSERT INTO inbox VALUES (?)");
      const upsert = database.prepare(
        "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, data = excluded.data",
      );
      const log = database.prepare("INSERT INTO log(body) VALUES (?)");
      const timer = database.prepare("INSERT INTO timers(due) VALUES (?)");
      const position = database.prepare("UPDATE positions SET frontier = ? WHERE consumer = 1");
      return (n) => {
        inbox.run(`0194a1b2-c3d4-7e5f-8a9b-${String(n).padStart(12, "0")}`);
        if (n % 2 === 0) upsert.run(orderOf(Math.floor(n / unitsOfSaga)).orderId, n, state);
        log.run(body);
        if (n % unitsOfSaga === 0) timer.run(n);
        position.run(n);
      };
    },
  });
  const total = sizeOf(tiny) * unitsOfSaga;
  const start = now();
  await inFlight({ at: 256, total }, (n) => groups.add(n));
  const { perSecond, cpuMs } = rate(start, total);
  await groups.close();
  return { perSecond: perSecond / unitsOfSaga, cpuMs: cpuMs * unitsOfSaga };
}

/** Sagas of three steps, each a command to another service and its reply, from a backlog to their ends. */
export const sagaBenchmark: Benchmark = {
  trials: { sagas, units },
  async run(stage) {
    const { sagas: ours, units: plain } = await stage.alternate({ units, sagas }, { rounds: 5 });
    return [
      figure({
        name: "saga",
        value: ours.perSecond,
        unit: "sagas/s",
        ceiling: plain.perSecond,
        goal: { atLeast: 3_000 },
      }),
      figure({ name: "saga.cpu", value: ours.cpuMs, unit: "ms/saga", ceiling: plain.cpuMs }),
    ];
  },
};
