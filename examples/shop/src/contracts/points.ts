import { event, topic } from "millrace";
import { z } from "zod";

/** Keyed by customer: a customer's points are counted in the order in which they came, by one writer at a time. */
const Points = z.object({
  customerId: z.string(),
  /** The order or correction that they are for. */
  reference: z.string(),
  points: z.int().positive(),
});

/** Loyalty points of customers. */
export const points = topic("points", {
  key: "customerId",
  events: {
    earned: event("points.earned", Points),
    /** The compensation of `earned`; also for goods that came back. */
    withdrawn: event("points.withdrawn", Points),
  },
});
