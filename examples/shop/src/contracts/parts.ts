import { z } from "zod";

/** What several events carry. A part is no contract: it has no name on the wire and no version of its own. */

/** One article of an order. `pence` is the exact price of the whole line, so that nobody has to multiply prices again. */
export const OrderLine = z.object({
  sku: z.string().min(1).max(40),
  quantity: z.int().positive(),
  pence: z.int(),
  /** When the line was rung up, where that differs from the order's own time. */
  at: z.iso.datetime().optional(),
});

/** A line of a correction: signed as in the books, so that goods that came back have a negative quantity and price. */
export const BookLine = z.object({
  sku: z.string().min(1).max(40),
  quantity: z.int(),
  pence: z.int(),
  at: z.iso.datetime().optional(),
});
export type BookLine = z.infer<typeof BookLine>;

/** So many pieces of an article. */
export const Item = z.object({ sku: z.string().min(1).max(40), quantity: z.int() });
export type Item = z.infer<typeof Item>;

/** Where a parcel goes. */
export const Address = z.object({
  name: z.string().min(1).max(80),
  street: z.string().min(1).max(120),
  postcode: z.string().min(1).max(40),
});
export type Address = z.infer<typeof Address>;
