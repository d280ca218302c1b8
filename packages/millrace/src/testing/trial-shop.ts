import { z } from "zod";
import type { Part } from "../consumer/part.js";
import type { Contract, EventName } from "../contract/contract.js";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import type { Saga, SagaRetry } from "../saga/saga.js";
import { saga } from "../saga/saga.js";
import { service } from "../service/declare.js";
import type { Service } from "../service/service.js";
import type { Trial } from "./trial.js";

// For the tests of sagas: an order is paid, its goods are reserved, its parcel is sent. What was taken is counted.

const Order = z.object({ orderId: z.string(), pence: z.int() });

export const orders = topic("orders", {
  key: "orderId",
  partitions: 3,
  events: { placed: event("order.placed", Order), cancelled: event("order.cancelled", Order) },
});
export const outcomes = topic("outcomes", {
  key: "orderId",
  partitions: 3,
  events: {
    confirmed: event("outcome.confirmed", Order),
    failed: event("outcome.failed", z.object({ orderId: z.string(), reason: z.string() })),
  },
});
export const payments = topic("payments", {
  key: "orderId",
  partitions: 3,
  events: { taken: event("payment.taken", Order), declined: event("payment.declined", Order) },
});
export const stock = topic("stock", {
  key: "orderId",
  partitions: 3,
  events: { reserved: event("stock.reserved", Order), shortage: event("stock.shortage", Order) },
});
export const parcels = topic("parcels", {
  key: "orderId",
  partitions: 3,
  events: { sent: event("parcel.sent", Order), lost: event("parcel.lost", Order) },
});

export const pay = command("pay", Order, { key: "orderId" });
export const refund = command("refund", Order, { key: "orderId" });
export const reserve = command("reserve", Order, { key: "orderId" });
export const release = command("release", Order, { key: "orderId" });
export const ship = command("ship", Order, { key: "orderId" });

/** What a service holds of an order: taken pence, or 0. */
const holdings = documents("holdings", z.object({ orderId: z.string(), pence: z.int() }), { id: "orderId" });

/** How a command's nth run fares, of all runs of that command for that order. */
export type Fate = "done" | "failed" | "refused" | "throws" | "dies" | "silent";
export type Fates = (command: string, orderId: string, run: number) => Fate;

const happy: Fates = () => "done";

export interface ShopOptions {
  readonly fates?: Fates;
  readonly saga?: Part;
  readonly runs?: string[];
}

/** The saga that most tests are about. */
export function fulfilment(rest: { readonly retry?: SagaRetry } = {}): Saga<z.infer<typeof Order>, "orderId"> {
  const timed = { timeout: "10m", ...rest } as const;
  return saga("fulfilment", { startsOn: orders.placed, key: "orderId", state: ({ data }) => data })
    .step("pay", {
      send: (s) => pay(s),
      done: payments.taken,
      failed: payments.declined,
      undo: (s) => refund(s),
      ...timed,
    })
    .step("reserve", {
      send: (s) => reserve(s),
      done: stock.reserved,
      failed: stock.shortage,
      undo: (s) => release(s),
      ...timed,
    })
    .step("ship", { send: (s) => ship(s), done: parcels.sent, failed: parcels.lost, ...timed })
    .abortOn(orders.cancelled)
    .completed((s) => outcomes.confirmed(s))
    .aborted((s, { reason }) => outcomes.failed({ orderId: s.orderId, reason }));
}

/** The services of the shop. Each run of a command fares as `fates` says. */
export function shop({ fates = happy, saga: owned = fulfilment(), runs = [] }: ShopOptions = {}): Service[] {
  const fateOf = ({ type, key }: { readonly type: string; readonly key: string }): Fate => {
    runs.push(`${type} ${key}`);
    return fates(type, key, runs.filter((run) => run === `${type} ${key}`).length);
  };
  const raise = (fate: Fate): void => {
    if (fate === "throws") throw new Error("not now");
    if (fate === "dies") throw new Failure("EVENT_REJECTED", "never");
  };
  const participant = (name: string, does: Doing, undoes?: Doing["command"]): Service => {
    const made = service(name).handle(does.command, { emits: [does.done, does.failed] }, (asked, ctx) => {
      const fate = fateOf(asked);
      raise(fate);
      if (fate === "refused") return { refused: "NO", detail: "not this one" };
      if (fate === "failed") return void ctx.publish(does.failed(asked.data));
      ctx.documents(holdings).put(asked.data);
      return fate === "silent" ? undefined : void ctx.publish(does.done(asked.data));
    });
    return undoes === undefined
      ? made
      : made.handle(undoes, async (asked, ctx) => {
          const fate = fateOf(asked);
          raise(fate);
          if (fate === "refused" || fate === "failed") return { refused: "NO", detail: "not this one" };
          const held = await ctx.documents(holdings).get(asked.key);
          if (held?.pence !== asked.data.pence) throw new Failure("EVENT_REJECTED", "there is nothing to take back");
          ctx.documents(holdings).delete(asked.key);
          return undefined;
        });
  };
  return [
    service("orders").owns(orders, outcomes, owned),
    participant("paying", { command: pay, done: payments.taken, failed: payments.declined }, refund),
    participant("stocking", { command: reserve, done: stock.reserved, failed: stock.shortage }, release),
    participant("shipping", { command: ship, done: parcels.sent, failed: parcels.lost }),
  ];
}

interface Doing {
  readonly command: Contract<string, z.infer<typeof Order>>;
  readonly done: Contract<EventName, z.infer<typeof Order>>;
  readonly failed: Contract<EventName, z.infer<typeof Order>>;
}

/** The events that say how orders ended. */
export async function ended(t: Trial): Promise<readonly string[]> {
  const { events } = await t.running.engine.inspect.events({ type: "outcome.*", limit: 1_000 });
  return events.map(({ type }) => type);
}

/** What paying, stocking and shipping hold of an order. */
export async function held(t: Trial, orderId = "o-1"): Promise<readonly number[]> {
  const services = ["paying", "stocking", "shipping"];
  const found = services.map((service) => t.app.documents(holdings, { service }).get(orderId));
  return (await Promise.all(found)).map((holding) => holding?.pence ?? 0);
}
