import { paymentsService } from "./accounts.js";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { now, rate } from "./load.js";
import { order, orders } from "./order.js";
import { owner, startApp } from "./orders-app.js";
import { median } from "./statistics.js";

/** Each order is stored, and so is what its handler publishes. */
const storedPerOrder = 2;
const together = 500;
const aheadMax = 10_000;
const windows = 5;

const sizes = (tiny: boolean) =>
  tiny ? { small: 2_000, large: 10_000, window: 500 } : { small: 100_000, large: 10_000_000, window: 20_000 };

/** What handling costs while there is little in the file, and when there is much. The warm-up stays small. */
async function growing({ dir, tiny, number }: Round) {
  const { small, large, window } = sizes(tiny || number === 0);
  const progress = new Progress();
  const app = await startApp(dir, [owner, paymentsService(() => progress.saw())]);
  let published = 0;
  const handle = async (count: number) => {
    for (const end = published + count; published < end; published += together) {
      await progress.atLeast(published - aheadMax);
      await app.publish(Array.from({ length: together }, (_, n) => orders.placed(order(published + n))));
    }
    await progress.atLeast(published);
    await app.settled();
  };
  const measure = async () => {
    const taken: { perSecond: number; cpuMs: number }[] = [];
    for (let turn = 0; turn < windows; turn += 1) {
      const start = now();
      await handle(window);
      taken.push(rate(start, window));
    }
    const rss = process.memoryUsage().rss / 1024 ** 2;
    return { perSecond: median(taken.map((one) => one.perSecond)), cpuMs: median(taken.map((one) => one.cpuMs)), rss };
  };
  await handle(small / storedPerOrder);
  const before = await measure();
  await handle(large / storedPerOrder - published);
  const after = await measure();
  await app.stop();
  return {
    cpuBefore: before.cpuMs,
    cpuAfter: after.cpuMs,
    perSecondBefore: before.perSecond,
    perSecondAfter: after.perSecond,
    rssBefore: before.rss,
    rssAfter: after.rss,
  };
}

/** How many orders the handler has seen, and who waits for how many. */
class Progress {
  #seen = 0;
  #wanted = 0;
  #reached: () => void = () => {};

  saw(): void {
    this.#seen += 1;
    if (this.#seen >= this.#wanted) this.#reached();
  }

  async atLeast(count: number): Promise<void> {
    if (this.#seen >= count) return;
    this.#wanted = count;
    await new Promise<void>((resolve) => {
      this.#reached = resolve;
    });
    this.#reached = () => {};
  }
}

/** What an event costs when ten million are stored, against a hundred thousand. */
export const growth: Benchmark = {
  trials: { growing },
  async run(stage) {
    const { growing: grown } = await stage.alternate({ growing }, { rounds: 1 });
    const goal = { atMost: 1.2 };
    const times = (name: string, after: number, before: number) =>
      figure({ name, value: after / before, unit: "times", goal });
    return [
      times("growth.cpu", grown.cpuAfter, grown.cpuBefore),
      times("growth.time", grown.perSecondBefore, grown.perSecondAfter),
      times("growth.memory", grown.rssAfter, grown.rssBefore),
    ];
  },
};
