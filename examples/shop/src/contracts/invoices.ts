import { event, topic } from "millrace";
import { z } from "zod";

/**
 * Invoices of the till that the shop had before, imported by `npm run shop:replay`.
 *
 * A topic of its own, in the till's words: the orders service translates them into orders and corrections in one
 * place, and no other service ever hears of tills.
 */
export const invoices = topic("invoices", {
  key: "invoiceNo",
  events: {
    recorded: event(
      "invoice.recorded",
      z.object({
        /** Digits: an order. C and digits: a cancellation. A and digits: an adjustment of the books. */
        invoiceNo: z.string().min(1).max(64),
        customerId: z.string().min(1).max(64).optional(),
        country: z.string().min(1).max(60),
        issuedAt: z.iso.datetime(),
        lines: z
          .array(
            z.object({
              sku: z.string().min(1).max(40),
              quantity: z.int(),
              /** Pounds as an exact decimal, as it stood on paper: "2.55". A number could not hold it. */
              unitPrice: z.string().max(20),
              /** Only where it differs from `issuedAt`: a few invoices were written over two minutes. */
              at: z.iso.datetime().optional(),
            }),
          )
          .min(1),
      }),
    ),
  },
});
