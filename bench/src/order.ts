import { event, topic } from "millrace";
import { z } from "zod";

export const Order = z.object({
  orderId: z.string(),
  customerId: z.string(),
  /** Counts the orders of one customer from 1, so that a benchmark can tell that their order is kept. */
  sequence: z.int(),
  placedAt: z.iso.datetime(),
  lines: z.array(z.object({ sku: z.string(), quantity: z.int() })),
  totalPence: z.int(),
  note: z.string(),
});
export type Order = z.infer<typeof Order>;

/** The events of all benchmarks: an order of two lines and a note, 400 bytes as JSON. */
export const orders = topic("orders", { key: "customerId", events: { placed: event("order.placed", Order) } });

const customers = 10_000;
const lines = [
  { sku: "teapot-blue", quantity: 2 },
  { sku: "cup-red", quantity: 6 },
];
const note =
  "If nobody is at home, please leave it with the neighbour at number fourteen, and ring the bell twice: " +
  "the old dog is deaf but friendly. The gate sticks a little, lift it while you push.";

/** The customer of the `n`-th order. They take turns, so that the orders of one stand far apart in a backlog. */
export function customerOf(n: number): string {
  return `customer-${String(n % customers).padStart(6, "0")}`;
}

/** The `n`-th order, counted from 0. */
export function order(n: number): Order {
  return {
    orderId: `order-${String(n).padStart(10, "0")}`,
    customerId: customerOf(n),
    sequence: Math.floor(n / customers) + 1,
    placedAt: "2025-01-06T09:30:00.000Z",
    lines,
    totalPence: 5_320,
    note,
  };
}
