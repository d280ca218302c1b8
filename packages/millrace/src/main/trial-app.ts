import * as z from "zod";
import { bank, open, payIn, payOut } from "../app/trial-accounts.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import type { HttpOptions } from "../http/http.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { type MillraceApp, type MillraceOptions, millrace } from "./millrace.js";

/** A small shop for the tests of http, admin and cli. What it does with an order depends on the order's price. */
export const orders = topic("orders", {
  key: "orderId",
  partitions: 3,
  events: { placed: event("order.placed", z.object({ orderId: z.string().min(1), pence: z.int() })) },
});
const payments = topic("payments", {
  key: "orderId",
  partitions: 3,
  events: { taken: event("payment.taken", z.object({ orderId: z.string(), pence: z.int() })) },
});
export const placeOrder = command(
  "place-order",
  z.object({ orderId: z.string().min(1), pence: z.int(), notes: z.array(z.string()).optional() }),
  { key: "orderId" },
);
const rateOrder = command("rate-order", z.object({ orderId: z.string(), stars: z.int() }), { key: "orderId" });

/** Prices with a meaning. */
export const price = { refused: 13, unfit: 14, dead: 666, rejected: 667, stops: 999 } as const;

/** What a test may change. */
export interface TrialOptions extends Partial<MillraceOptions> {
  readonly dir: string;
  /** With the bank of trial-accounts.ts, and a route to pay into an account. */
  readonly withBank?: boolean;
  /** Awaited by the handler of `place-order`. */
  readonly gate?: (orderId: string) => Promise<void>;
  /** Awaited by the handler of payments. */
  readonly paymentGate?: Promise<void>;
}

/** The app, not yet started. Its HTTP server takes any free port. */
export function trialApp({ dir, gate, paymentGate, http, withBank = false, ...options }: TrialOptions): MillraceApp {
  const quick = { attemptsInPlace: 1, attemptsMax: 1 };
  const orderService = service("orders")
    .handle(placeOrder, { emits: [orders.placed], timeout: "1h" }, async ({ data }, ctx) => {
      await gate?.(data.orderId);
      if (data.pence === price.refused) return { refused: "UNLUCKY", detail: "thirteen is not sold here" };
      if (data.pence === price.unfit) return { refused: "CONTRACT_REJECTED", detail: "fourteen is not a price" };
      ctx.publish(orders.placed({ orderId: data.orderId, pence: data.pence }));
      return undefined;
    })
    .handle(rateOrder, { retry: quick }, ({ data }) => {
      if (data.stars === 0) throw new Error("no stars");
    });
  const paymentService = service("payments").on(
    orders.placed,
    { emits: [payments.taken], from: "beginning", retry: quick },
    async ({ data }, ctx) => {
      await paymentGate;
      if (data.pence === price.dead) throw new Error("the provider does not take 666");
      // Many of these are no sign that something is down.
      if (data.pence === price.rejected) throw new Failure("EVENT_REJECTED", "the provider never takes 667");
      if (data.pence === price.stops) throw new Failure("FENCED", "this consumer stops");
      ctx.publish(payments.taken(data));
    },
  );
  const mailService = service("mail").on(payments.taken, { from: "beginning" }, () => {});
  const engine: Engine = options.engine ?? embedded(dir);
  return millrace({
    services: [orderService, paymentService, mailService, ...(withBank ? [bank()] : [])],
    logger: silentLogger,
    signals: false,
    ...options,
    engine,
    http: { port: 0, routes: withBank ? { ...trialRoutes, ...bankRoutes } : trialRoutes, ...http },
  });
}

const bankRoutes = {
  "PUT /accounts/{account}": open,
  "POST /accounts/{account}/payments-in": payIn,
  "POST /accounts/{account}/payments-out": payOut,
} as const satisfies HttpOptions["routes"];

const trialRoutes = {
  "POST /orders": placeOrder,
  "PUT /orders/{orderId}": placeOrder,
  "POST /orders/{orderId}/ratings": {
    command: rateOrder,
    from: ({ params, query }) => ({ orderId: params.orderId, stars: Number(query.stars) }),
  },
} as const satisfies HttpOptions["routes"];
