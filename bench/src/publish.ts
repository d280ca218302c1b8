import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { flushProbe } from "./flush-probe.js";
import { inFlight, now, openLoop, rate } from "./load.js";
import { order, orders } from "./order.js";
import { owner, startApp } from "./orders-app.js";
import { PlainGroups } from "./plain-sqlite.js";
import { latency } from "./statistics.js";

const atOnce = 256;
const offeredPerSecond = 10_000;

/** What happens once in the life of a process (compiling, the first checkpoint's worker) is not what is measured. */
const warmUp = (tiny: boolean) => (tiny ? 100 : 40_000);

/** From calling `app.publish` to its promise: checked against the contract, encoded, on disk. */
async function publishes({ dir, tiny }: Round) {
  const app = await startApp(dir, [owner]);
  const one = (n: number) => app.publish(orders.placed(order(n)));
  await inFlight({ at: atOnce, total: warmUp(tiny) }, one);
  const total = tiny ? 1_000 : 100_000;
  const start = now();
  await inFlight({ at: atOnce, total }, one);
  const measured = rate(start, total);
  await app.stop();
  return measured;
}

/** A row for each event, its bytes ready made. */
async function appends({ dir, tiny }: Round) {
  const groups = new PlainGroups<Uint8Array>({
    dir,
    schema: "CREATE TABLE log(pos INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    itemBytes: 450,
    prepare: (database) => {
      const insert = database.prepare("INSERT INTO log(body) VALUES (?)");
      return (body) => void insert.run(body);
    },
  });
  const body = Buffer.from(JSON.stringify(order(0)));
  await inFlight({ at: atOnce, total: warmUp(tiny) }, () => groups.add(body));
  const total = tiny ? 1_000 : 200_000;
  const start = now();
  await inFlight({ at: atOnce, total }, () => groups.add(body));
  const measured = rate(start, total);
  await groups.close();
  return measured;
}

/** A steady offer, and how long each waits for its acknowledgement. */
async function paced({ dir, tiny }: Round) {
  const app = await startApp(dir, [owner]);
  await inFlight({ at: atOnce, total: warmUp(tiny) }, (n) => app.publish(orders.placed(order(n))));
  const timesMs: number[] = [];
  await openLoop({ perSecond: offeredPerSecond, total: tiny ? 200 : 3 * offeredPerSecond }, async (n, dueMs) => {
    await app.publish(orders.placed(order(n)));
    timesMs.push(performance.now() - dueMs);
  });
  await app.stop();
  return latency(timesMs);
}

/** Publishing from outside handlers: how much, and how long until it is on disk. */
export const publish: Benchmark = {
  trials: { publishes, appends, paced, flushProbe },
  async run(stage) {
    const { publishes: ours, appends: plain } = await stage.alternate({ appends, publishes }, { rounds: 5 });
    const { paced: acks, flushProbe: flushes } = await stage.alternate({ flushProbe, paced }, { rounds: 5 });
    return [
      figure({
        name: "publish",
        value: ours.perSecond,
        unit: "events/s",
        ceiling: plain.perSecond,
        goal: { atLeast: 120_000, ratioAtLeast: 0.7 },
      }),
      figure({ name: "publish.cpu", value: ours.cpuMs, unit: "ms/event", ceiling: plain.cpuMs }),
      figure({ name: "publish.p50", value: acks.p50, unit: "ms", ceiling: flushes.p50, goal: { atMost: 0.3 } }),
      figure({ name: "publish.p99", value: acks.p99, unit: "ms", ceiling: flushes.p99, goal: { atMost: 2 } }),
    ];
  },
};
