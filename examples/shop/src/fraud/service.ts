import { type Context, type DataOf, documents, service } from "millrace";
import { z } from "zod";
import { customers } from "../contracts/customers.js";
import { checkOrder, fraudChecks } from "../contracts/fraud-checks.js";
import { orders } from "../contracts/orders.js";
import type { Fulfilment } from "../style.js";

const View = z.object({ customerId: z.string(), country: z.string(), blocked: z.string().optional() });
/** Fraud's own view of customers: of everything known about them, the little that matters here. */
const customerView = documents("customer-view", View, { id: "customerId" });

/** When an order looks wrong. */
export interface FraudRules {
  /** The most that a guest may order. */
  readonly guestPenceMax: number;
  /** The most that a customer may order from another country than their own. */
  readonly abroadPenceMax: number;
}

/**
 * Says whether an order may go ahead.
 *
 * **Event-carried state transfer.** A check needs the customer, on every single order, at once. So this service listens
 * to customers as they change and keeps its own copy: a check costs one local read, works while the orders service is
 * down, and puts no load on it. The price is that the copy is a moment old; for a check by country that is no loss.
 */
export function fraudService({ rules, fulfilment }: { readonly rules: FraudRules; readonly fulfilment: Fulfilment }) {
  const fraud = service("fraud")
    .on(customers.registered, { from: "beginning" }, async ({ data: { customerId, country } }, ctx) => {
      const before = await ctx.documents(customerView).get(customerId);
      ctx.documents(customerView).put({ ...before, customerId, country });
    })
    .on(customers.blocked, { from: "beginning" }, async ({ data: { customerId, reason } }, ctx) => {
      const before = await ctx.documents(customerView).get(customerId);
      ctx.documents(customerView).put({ customerId, country: "", ...before, blocked: reason });
    });

  async function check({ data }: { readonly data: DataOf<typeof checkOrder> }, ctx: Verdicts): Promise<void> {
    const { orderId, customerId, country, totalPence } = data;
    const customer = customerId === undefined ? undefined : await ctx.documents(customerView).get(customerId);
    const why = suspicion({ customer, country, totalPence }, rules);
    ctx.publish(why === undefined ? fraudChecks.cleared({ orderId }) : fraudChecks.suspected({ orderId, why }));
  }
  const checking = { emits: [fraudChecks.cleared, fraudChecks.suspected], from: "beginning" } as const;

  return fulfilment === "choreographed"
    ? fraud.on(orders.placed, checking, check)
    : fraud.handle(checkOrder, checking, check);
}

type Verdicts = Context<"fraud.cleared" | "fraud.suspected">;

function suspicion(
  order: { readonly customer: z.infer<typeof View> | undefined; readonly country: string; readonly totalPence: number },
  rules: FraudRules,
): string | undefined {
  const { customer, country, totalPence } = order;
  if (!customer) return totalPence > rules.guestPenceMax ? "more than a guest may order" : undefined;
  if (customer.blocked !== undefined) return "the customer is blocked";
  const abroad = customer.country !== country;
  return abroad && totalPence > rules.abroadPenceMax ? "a large order from another country than usual" : undefined;
}
