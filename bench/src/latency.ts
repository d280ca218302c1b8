import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { setTimeout as pause } from "node:timers/promises";
import { paymentsService } from "./accounts.js";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { flushProbe } from "./flush-probe.js";
import { openLoop } from "./load.js";
import { order, orders } from "./order.js";
import { owner, startApp } from "./orders-app.js";
import { latency } from "./statistics.js";

const busyPerSecond = 5_000;
/** Told by a consumer when what its handler did is on disk. */
const handledChannel = "millrace:handled";

/** Publishes the `n`-th order; resolves when another service has handled it and its effects are on disk. */
type Place = (n: number) => Promise<void>;

async function placing(dir: string, load: (place: Place) => Promise<void>): Promise<void> {
  const waiting = new Map<string, () => void>();
  const orderIds = new Map<string, string>();
  const heard = (message: unknown) => {
    const { event } = message as { readonly event: string };
    const orderId = orderIds.get(event);
    if (orderId === undefined) return;
    orderIds.delete(event);
    waiting.get(orderId)?.();
    waiting.delete(orderId);
  };
  const payments = paymentsService(({ event }) => orderIds.set(event.id, event.data.orderId));
  const app = await startApp(dir, [owner, payments]);
  subscribe(handledChannel, heard);
  await load(async (n) => {
    const placed = order(n);
    const handled = new Promise<void>((done) => waiting.set(placed.orderId, done));
    await app.publish(orders.placed(placed));
    await handled;
  });
  unsubscribe(handledChannel, heard);
  await app.stop();
}

/** One at a time, with pauses of 1 to 9 ms: nothing else is going on. */
async function idle({ dir, tiny }: Round) {
  const timesMs: number[] = [];
  await placing(dir, async (place) => {
    for (let n = 0; n < (tiny ? 20 : 500); n += 1) {
      await pause(1 + (n % 9));
      const start = performance.now();
      await place(n);
      timesMs.push(performance.now() - start);
    }
  });
  return latency(timesMs);
}

async function busy({ dir, tiny }: Round) {
  const timesMs: number[] = [];
  await placing(dir, (place) =>
    openLoop({ perSecond: busyPerSecond, total: tiny ? 100 : 3 * busyPerSecond }, async (n, dueMs) => {
      await place(n);
      timesMs.push(performance.now() - dueMs);
    }),
  );
  return latency(timesMs);
}

/** From publishing in one service to another service's effects being on disk: two commits, one after the other. */
export const latencyBenchmark: Benchmark = {
  trials: { flushProbe, idle, busy },
  async run(stage) {
    const measured = await stage.alternate({ flushProbe, idle, busy }, { rounds: 5 });
    const { idle: alone, busy: crowd, flushProbe: flush } = measured;
    const unit = "ms";
    return [
      figure({ name: "latency.idle.p50", value: alone.p50, unit, ceiling: flush.p50, goal: { atMost: 1 } }),
      figure({ name: "latency.idle.p99", value: alone.p99, unit, ceiling: flush.p99, goal: { atMost: 3 } }),
      figure({ name: "latency.busy.p50", value: crowd.p50, unit, ceiling: flush.p50 }),
      figure({ name: "latency.busy.p99", value: crowd.p99, unit, ceiling: flush.p99, goal: { atMost: 10 } }),
    ];
  },
};
