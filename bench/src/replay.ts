import { join } from "node:path";
import { type Engine, embedded, service, silentLogger } from "millrace";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { now, rate } from "./load.js";
import { Order, order, orders } from "./order.js";
import { owner, preload, startApp } from "./orders-app.js";
import { openPlain } from "./plain-sqlite.js";

const events = (tiny: boolean) => (tiny ? 1_000 : 200_000);

/** What every trial folds the log into: each customer's orders and spending. */
class Spending {
  readonly #byCustomer = new Map<string, { orders: number; pence: number }>();
  #folded = 0;

  add({ customerId, totalPence }: Order): void {
    const spent = this.#byCustomer.get(customerId);
    if (spent === undefined) this.#byCustomer.set(customerId, { orders: 1, pence: totalPence });
    else {
      spent.orders += 1;
      spent.pence += totalPence;
    }
    this.#folded += 1;
  }

  assertComplete(total: number): void {
    const pence = [...this.#byCustomer.values()].reduce((sum, spent) => sum + spent.pence, 0);
    if (this.#folded !== total || pence !== total * order(0).totalPence)
      throw new Error(`${this.#folded} of ${total} events were folded`);
  }
}

/** A service without effects, from the beginning: what anybody can write today. */
async function handler({ dir, tiny }: Round) {
  const total = events(tiny);
  await preload(dir, total);
  const spending = new Spending();
  let start = now();
  let begun = false;
  const ledger = service("ledger").on(orders.placed, { from: "beginning" }, ({ data }) => {
    if (!begun) start = now();
    begun = true;
    spending.add(data);
  });
  const app = await startApp(dir, [owner, ledger]);
  await app.settled();
  const measured = rate(start, total);
  await app.stop();
  spending.assertComplete(total);
  return measured;
}

const batch = { recordsMax: 1_000, bytesMax: 4 * 1024 * 1024 };

/** The engine's log through its port, each event checked by the contract's own schema. */
async function reader({ dir, tiny }: Round) {
  const total = events(tiny);
  await preload(dir, total);
  const engine = await open(embedded(dir));
  const spending = new Spending();
  const check = Order["~standard"].validate;
  const start = now();
  let from: readonly number[] = await engine.log.starts("orders");
  for (let atEnd = false; !atEnd; ) {
    const read = await engine.log.read({ topic: "orders", from, ...batch });
    for (const { data } of read.records) {
      const checked = check(data);
      if (checked instanceof Promise || checked.issues !== undefined)
        throw new Error("an event does not fit its schema");
      spending.add(checked.value);
    }
    from = read.next;
    atEnd = read.atEnd;
  }
  const measured = rate(start, total);
  await engine.close();
  spending.assertComplete(total);
  return measured;
}

function open(engine: Engine) {
  const random = { next: Math.random, fill: (bytes: Uint8Array) => void crypto.getRandomValues(bytes) };
  const after = (ms: number, run: () => void) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  };
  const clock = { now: Date.now, monotonic: () => performance.now(), after };
  return engine.open({ clock, random, logger: silentLogger });
}

/** Rows of the same events' JSON, read by the thousand and parsed. */
async function scan({ dir, tiny }: Round) {
  const total = events(tiny);
  const database = openPlain(join(dir, "plain.db"));
  database.exec("CREATE TABLE log(pos INTEGER PRIMARY KEY, body TEXT NOT NULL); BEGIN");
  const insert = database.prepare("INSERT INTO log(body) VALUES (?)");
  for (let n = 0; n < total; n += 1) insert.run(JSON.stringify(order(n)));
  database.exec("COMMIT");
  const page = database.prepare("SELECT pos, body FROM log WHERE pos > ? ORDER BY pos LIMIT 1000");
  page.setReturnArrays(true);
  const spending = new Spending();
  const start = now();
  for (let after = 0; ; ) {
    const rows = page.all(after) as unknown as readonly (readonly [number, string])[];
    for (const [, body] of rows) spending.add(JSON.parse(body) as Order);
    const last = rows.at(-1);
    if (last === undefined) break;
    after = last[0];
  }
  const measured = rate(start, total);
  database.close();
  spending.assertComplete(total);
  return measured;
}

/** Folding the whole log in memory: decoded, validated, in order. */
export const replay: Benchmark = {
  trials: { scan, reader, handler },
  async run(stage) {
    const {
      scan: plain,
      reader: port,
      handler: service,
    } = await stage.alternate({ scan, reader, handler }, { rounds: 5 });
    const goal = { atLeast: 300_000, ratioAtLeast: 0.65 };
    const unit = "events/s";
    return [
      figure({ name: "replay", value: service.perSecond, unit, ceiling: plain.perSecond, goal }),
      figure({ name: "replay.log", value: port.perSecond, unit, ceiling: plain.perSecond, goal }),
    ];
  },
};
