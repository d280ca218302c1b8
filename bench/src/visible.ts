import { setTimeout as pause } from "node:timers/promises";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { flushProbe } from "./flush-probe.js";
import { order, orders } from "./order.js";
import { owner, startApp } from "./orders-app.js";
import { Sharing } from "./sharing.js";
import { latency } from "./statistics.js";

/** Published here, one at a time; from the call, the commit included, until a handler begins in another process. */
async function visible({ dir, tiny }: Round) {
  const shared = await Sharing.start(dir, { processes: 1, waitMs: 0 });
  const app = await startApp(dir, [owner]);
  const started = new Map<string, number>();
  for (let n = 0; n < (tiny ? 20 : 1_000); n += 1) {
    await pause(1 + (n % 5));
    const placed = order(1_000_000 + n);
    started.set(placed.orderId, Number(process.hrtime.bigint()) / 1e6);
    await app.publish(orders.placed(placed));
  }
  let seen = await shared.seen(0);
  while ([...started.keys()].some((orderId) => !seen.has(orderId))) seen = await shared.seen(0);
  await app.stop();
  await shared.close();
  return latency([...started].map(([orderId, ms]) => (seen.get(orderId) ?? 0) - ms));
}

/** How soon one process hears of what another one had committed. */
export const visibleBenchmark: Benchmark = {
  trials: { flushProbe, visible },
  async run(stage) {
    const { visible: heard, flushProbe: flush } = await stage.alternate({ flushProbe, visible }, { rounds: 5 });
    const unit = "ms";
    return [
      figure({ name: "visible.p50", value: heard.p50, unit, ceiling: flush.p50, goal: { atMost: 0.5 } }),
      figure({ name: "visible.p99", value: heard.p99, unit, ceiling: flush.p99, goal: { atMost: 2 } }),
    ];
  },
};
