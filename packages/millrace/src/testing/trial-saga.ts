import type { Admin } from "../admin/admin.js";
import { localAdmin } from "../admin/local.js";
import { type Saga, saga } from "../saga/saga.js";
import type { Service } from "../service/service.js";
import { type Trial, trial } from "./trial.js";
import {
  type Fate,
  type Fates,
  fulfilment,
  orders,
  outcomes,
  parcels,
  pay,
  payments,
  refund,
  release,
  reserve,
  ship,
  shop,
  stock,
} from "./trial-shop.js";

// What the tests of sagas have in common: the steps of an order, and one order that is played through to its end.

/** The order that most tests place. */
export const order = { orderId: "o-1", pence: 100 };
type Order = typeof order;

/** A saga of orders that has no steps yet. */
export const begin = (name = "fulfilment"): Saga<Order, "orderId"> =>
  saga(name, { startsOn: orders.placed, key: "orderId", state: ({ data }) => data });

/** With the events that say how it ended. */
export const ending = (made: Saga<Order, "orderId">): Saga<Order, "orderId"> =>
  made
    .completed((s) => outcomes.confirmed(s))
    .aborted((s, { reason }) => outcomes.failed({ orderId: s.orderId, reason }));

/** The step that takes the money. */
export const paid = {
  send: (s: Order) => pay(s),
  done: payments.taken,
  failed: payments.declined,
  undo: (s: Order) => refund(s),
};
/** The step that sets the goods aside. */
export const reserved = {
  send: (s: Order) => reserve(s),
  done: stock.reserved,
  failed: stock.shortage,
  undo: (s: Order) => release(s),
};
/** The step that sends the parcel: there is no way back after it. */
export const shipped = { send: (s: Order) => ship(s), done: parcels.sent, failed: parcels.lost };

/** A command that fares so in these of its runs; all others are done. */
export const on =
  (command: string, fate: Fate, { from = 1, to = Number.POSITIVE_INFINITY, also = {} }: Faring = {}): Fates =>
  (type, _, run) =>
    type === command && run >= from && run <= to ? fate : (also[type] ?? "done");

interface Faring {
  readonly from?: number;
  readonly to?: number;
  readonly also?: Readonly<Record<string, Fate>>;
}

interface Playing {
  readonly saga?: Saga<Order, "orderId">;
  readonly fates?: Fates | undefined;
  /** Beside those of the shop. */
  readonly services?: readonly Service[];
}

/** A shop with a saga, in which nothing is placed yet. */
export async function play({ saga: made = fulfilment(), fates, services = [] }: Playing = {}) {
  const runs: string[] = [];
  const t = await trial([...shop({ runs, saga: made, ...(fates === undefined ? {} : { fates }) }), ...services]);
  const instance = () => t.app.saga(made).get(order.orderId);
  const admin = adminOf(t);
  return {
    t,
    admin,
    saga: made,
    instance,
    status: async () => (await instance())?.status,
    history: async () => ((await instance())?.history ?? []).map(({ type, step }) => (step ? `${type} ${step}` : type)),
    /** Which commands were run, in their order. */
    runs: () => runs.map((run) => run.split(" ")[0]),
    /** An operator's act, and what comes of it. */
    async act(verb: "retry" | "skip" | "compensate" | "force", more: object = {}) {
      const by = { actor: "ada", reason: "a test", saga: made.name, key: order.orderId };
      const report = await inTime(t, admin.steerSaga({ ...by, verb, ...more }));
      await t.rest();
      return report;
    },
  };
}

/** The same with the order placed, and everything come of it. */
export async function played(playing: Playing = {}) {
  const playing_ = await play(playing);
  await placed(playing_.t);
  return playing_;
}

/** Places the order, and lets time pass until all is handled. */
export async function placed(t: Trial): Promise<void> {
  await t.app.publish(orders.placed(order));
  await t.rest();
}

/** The admin of a trial, in whose virtual time its acts are done. */
export function adminOf(t: Trial): Admin {
  const { running, app, clock } = t;
  const stopping = new AbortController().signal;
  const sight = { inspect: running.engine.inspect, live: { app, running }, dir: undefined };
  return localAdmin({ ...sight, now: () => clock.now(), stopping });
}

/** Lets virtual time pass until the act is done. */
export async function inTime<T>(t: Trial, act: Promise<T>): Promise<T> {
  let over = false;
  const done = () => {
    over = true;
  };
  act.then(done, done);
  await t.until(() => over);
  return await act;
}
