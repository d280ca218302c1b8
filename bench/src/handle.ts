import { accounts, paymentsService } from "./accounts.js";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { inFlight, now, rate } from "./load.js";
import { customerOf, order } from "./order.js";
import { owner, preload, startApp } from "./orders-app.js";
import { PlainGroups } from "./plain-sqlite.js";

const atOnce = 256;

/** A backlog of orders, from the first run of the handler until all is at rest. */
async function handles({ dir, tiny }: Round) {
  const total = tiny ? 1_000 : 200_000;
  await preload(dir, total);
  let start = now();
  let runs = 0;
  const service = paymentsService(() => {
    if (runs === 0) start = now();
    runs += 1;
  });
  const app = await startApp(dir, [owner, service]);
  await app.settled();
  const measured = rate(start, total);
  const first = await app.documents(accounts).get(customerOf(0));
  const last = order(total - 1);
  const final = await app.documents(accounts).get(last.customerId);
  await app.stop();
  if (runs < total || final?.orders !== last.sequence || first?.customerId !== customerOf(0))
    throw new Error(`${runs} of ${total} orders were handled; the last customer has ${final?.orders} orders`);
  return measured;
}

const schema = `
CREATE TABLE log(pos INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE inbox(id TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE state(id TEXT PRIMARY KEY, version INTEGER NOT NULL, data TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE positions(consumer INTEGER PRIMARY KEY, frontier INTEGER NOT NULL);
INSERT INTO positions VALUES (1, 0);`;

/** The full unit of work as statements: inbox, state, two events, position. Nothing is decoded, checked or decided. */
async function units({ dir, tiny }: Round) {
  const body = Buffer.from(JSON.stringify(order(0)));
  const groups = new PlainGroups<number>({
    dir,
    schema,
    itemBytes: 1_300,
    prepare(database) {
      const inbox = database.prepare("INSERT INTO inbox VALUES (?)");
      const state = database.prepare(
        "INSERT INTO state VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET version = excluded.version, data = excluded.data",
      );
      const log = database.prepare("INSERT INTO log(body) VALUES (?)");
      const position = database.prepare("UPDATE positions SET frontier = ? WHERE consumer = 1");
      return (n) => {
        const customerId = customerOf(n);
        inbox.run(`0194a1b2-c3d4-7e5f-8a9b-${String(n).padStart(12, "0")}`);
        state.run(
          customerId,
          n,
          `{"customerId":"${customerId}","orders":1,"spentPence":${n},"lastOrderId":"order-0000000001"}`,
        );
        log.run(body);
        log.run(body);
        position.run(n);
      };
    },
  });
  const total = tiny ? 1_000 : 100_000;
  const start = now();
  await inFlight({ at: atOnce, total }, (n) => groups.add(n));
  const measured = rate(start, total);
  await groups.close();
  return measured;
}

/** Handling a backlog, exactly once and in order per key: read a document, write it, publish an event. */
export const handle: Benchmark = {
  trials: { handles, units },
  async run(stage) {
    const { handles: ours, units: plain } = await stage.alternate({ units, handles }, { rounds: 5 });
    return [
      figure({
        name: "handle",
        value: ours.perSecond,
        unit: "events/s",
        ceiling: plain.perSecond,
        goal: { atLeast: 45_000, ratioAtLeast: 0.7 },
      }),
      figure({
        name: "handle.cpu",
        value: ours.cpuMs,
        unit: "ms/event",
        ceiling: plain.cpuMs,
        goal: { atMost: 0.03 },
      }),
    ];
  },
};
