import { accounts, type Paying, paymentsService } from "./accounts.js";
import type { Benchmark, Round } from "./benchmark.js";
import { figure } from "./figure.js";
import { customerOf, order } from "./order.js";
import { owner, preload, startApp } from "./orders-app.js";

const badEvery = 100;
const failingShare = 0.3;
/** By default an event is given up on after so many attempts. */
const attemptsMax = 8;

const orders = (tiny: boolean) => (tiny ? 2_000 : 200_000);
const isBad = (customerId: string) => Number(customerId.slice(-6)) % badEvery === 0;

/** A backlog in which one customer in a hundred is bad; measured is how fast the orders of the others are handled. */
async function handleOthers({ dir, tiny }: Round, fails: (paying: Paying) => boolean) {
  const total = orders(tiny);
  await preload(dir, total);
  const others = new Watched(total - Math.ceil(total / badEvery));
  const service = paymentsService((paying) => {
    const { customerId } = paying.event.data;
    if (isBad(customerId)) {
      if (fails(paying)) throw new Error("this customer's orders fail");
      others.assertNext(paying);
    } else others.saw(paying);
  });
  const app = await startApp(dir, [owner, service]);
  const perSecond = await others.done;
  return { app, perSecond, total };
}

/** The orders that nothing is wrong with, counted as their handler runs. */
class Watched {
  readonly done: Promise<number>;
  readonly #total: number;
  readonly #seen = new Set<string>();
  #startMs = 0;
  #resolve: (perSecond: number) => void = () => {};
  #reject: (error: Error) => void = () => {};

  constructor(total: number) {
    this.#total = total;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  saw(paying: Paying): void {
    if (this.#startMs === 0) this.#startMs = performance.now();
    this.assertNext(paying);
    this.#seen.add(paying.event.data.orderId);
    if (this.#seen.size === this.#total) this.#resolve((this.#total * 1000) / (performance.now() - this.#startMs));
  }

  /** A customer's orders are handled one after the other, none left out. */
  assertNext({ event, before }: Paying): void {
    const { customerId, sequence } = event.data;
    if (sequence !== before + 1)
      this.#reject(new Error(`order ${sequence} of ${customerId} came when ${before} had been handled`));
  }
}

async function clean(round: Round) {
  const { app, perSecond } = await handleOthers(round, () => false);
  await app.stop();
  return { perSecond };
}

async function poison(round: Round) {
  const { app, perSecond } = await handleOthers(round, () => true);
  const bad = await app.documents(accounts).get(customerOf(0));
  await app.stop();
  if (bad !== undefined) throw new Error(`${bad.orders} orders of a poisoned customer took effect`);
  return { perSecond };
}

async function flaky(round: Round) {
  const fails = ({ event, attempt }: Paying) =>
    attempt < attemptsMax && chance(`${event.data.orderId}/${attempt}`) < failingShare;
  const { app, perSecond, total } = await handleOthers(round, fails);
  await app.settled();
  for (let n = total - 1; n >= 0 && n >= total - 10_000; n -= 1) {
    const { customerId, sequence } = order(n);
    const handled = (await app.documents(accounts).get(customerId))?.orders ?? 0;
    if (handled !== sequence) throw new Error(`${handled} of ${sequence} orders of ${customerId} were handled at rest`);
  }
  await app.stop();
  return { perSecond };
}

/** In [0, 1), the same for the same text, so that every round has the same failures. */
function chance(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  // FNV-1a alone gives texts with different last characters nearly the same number; this is MurmurHash3's finaliser.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

/** What failing keys cost the others: order is kept, and each key's failures are its own. */
export const hotKey: Benchmark = {
  trials: { clean, poison, flaky },
  async run(stage) {
    const measured = await stage.alternate({ clean, poison, flaky }, { rounds: 5 });
    const ceiling = measured.clean.perSecond;
    const goal = { ratioAtLeast: 0.9 };
    const unit = "events/s";
    return [
      figure({ name: "hot-key.poison", value: measured.poison.perSecond, unit, ceiling, goal }),
      figure({ name: "hot-key.flaky", value: measured.flaky.perSecond, unit, ceiling, goal }),
    ];
  },
};
