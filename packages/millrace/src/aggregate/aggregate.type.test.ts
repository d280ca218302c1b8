import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { type Aggregate, aggregate } from "./aggregate.js";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Equal<A, B>): void => undefined;

const Placed = z.object({ orderId: z.string(), totalPence: z.int() });
const Ended = z.object({ orderId: z.string(), reason: z.string() });
const orders = topic("orders", {
  key: "orderId",
  internal: true,
  events: {
    placed: event("order.placed", Placed),
    confirmed: event("order.confirmed", z.object({ orderId: z.string() })),
    cancelled: event("order.cancelled", Ended),
  },
});
const news = topic("order-news", { key: "orderId", events: { closed: event("order.closed", Ended) } });
const payments = topic("payments", {
  key: "orderId",
  events: { authorised: event("payment.authorised", z.object({ orderId: z.string(), pence: z.int() })) },
});
const cancelOrder = command("cancel-order", Ended, { key: "orderId" });
const processPayment = command("process-payment", z.object({ orderId: z.string(), pence: z.int() }), {
  key: "orderId",
});
type OrderState = { status: "none" } | { status: "placed"; pence: number } | { status: "cancelled" };

/** The use of the design's api-sketch.ts, and what must not compile. Nothing of it runs. */
export const useOfAggregates = (): void => {
  const order = aggregate(orders, {
    commands: [cancelOrder, processPayment],
    initialState: (): OrderState => ({ status: "none" }),
    decide: (asked, state) => {
      switch (asked.type) {
        case "cancel-order":
          asked.data.reason satisfies string;
          return state.status === "placed" ? [orders.cancelled(asked.data)] : { refused: "NOT_PLACED" };
        case "process-payment":
          asked.data.pence satisfies number;
          // @ts-expect-error only the other command has a reason
          asked.data.reason;
          return [orders.confirmed({ orderId: asked.key })];
      }
    },
    evolve: (state, happened): OrderState => {
      switch (happened.type) {
        case "order.placed":
          return { status: "placed", pence: happened.data.totalPence };
        case "order.cancelled":
          return { status: "cancelled" };
        default:
          return state;
      }
    },
  });
  same<typeof order, Aggregate<OrderState, "cancel-order" | "process-payment">>(true);
  service("orders").owns(order);

  aggregate(orders, {
    commands: [cancelOrder],
    initialState: () => ({}),
    evolve: (state) => state,
    // @ts-expect-error another topic's event
    decide: () => [payments.authorised({ orderId: "1", pence: 1 })],
  });
  aggregate(orders, {
    commands: [cancelOrder],
    initialState: () => ({ open: true }),
    decide: () => [],
    // @ts-expect-error not the state
    evolve: () => ({ closed: true }),
  });
  aggregate(orders, {
    commands: [cancelOrder],
    initialState: () => ({ open: true }),
    // @ts-expect-error it decides synchronously
    decide: async () => [],
    evolve: (state) => state,
  });
  aggregate(orders, {
    commands: [cancelOrder],
    emits: [news.closed],
    initialState: () => ({ open: true }),
    decide: () => [],
    evolve: (state) => state,
    derive: (happened, { open }) =>
      happened.type === "order.cancelled" && open
        ? [news.closed({ orderId: happened.data.orderId, reason: "no" })]
        : [],
  });
  aggregate(orders, {
    commands: [cancelOrder],
    emits: [news.closed],
    initialState: () => ({ open: true }),
    decide: () => [],
    evolve: (state) => state,
    // @ts-expect-error not declared in emits
    derive: () => [payments.authorised({ orderId: "1", pence: 1 })],
  });
};
