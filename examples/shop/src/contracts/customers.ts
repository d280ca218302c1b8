import { command, event, topic } from "millrace";
import { z } from "zod";

/** Who a customer is. Small, slow to change, and needed by several services: made to be carried in events. */
const Customer = z.object({
  customerId: z.string().min(1).max(64),
  name: z.string().max(80),
  email: z.string().max(120),
  country: z.string().min(1).max(60),
});

/**
 * What is known about customers, owned by the orders service.
 *
 * Event-carried state transfer: `customer.registered` carries the whole customer, so that fraud and notifications keep
 * copies of their own and never have to ask, also while the orders service is down.
 */
export const customers = topic("customers", {
  key: "customerId",
  events: {
    /** A new customer, or an old one with new particulars: the last one counts. */
    registered: event("customer.registered", Customer),
    blocked: event("customer.blocked", z.object({ customerId: z.string(), reason: z.string().max(200) })),
  },
});

export const registerCustomer = command("register-customer", Customer, { key: "customerId" });

export const blockCustomer = command(
  "block-customer",
  z.object({ customerId: z.string().min(1).max(64), reason: z.string().max(200) }),
  { key: "customerId" },
);
