import { event, topic } from "millrace";
import { z } from "zod";
import { BookLine } from "./parts.js";

const Correction = z.object({
  correctionId: z.string().min(1).max(64),
  customerId: z.string().min(1).max(64).optional(),
  country: z.string().min(1).max(60),
  at: z.iso.datetime(),
  lines: z.array(BookLine).min(1),
  totalPence: z.int(),
});

/** What changes the books without being an order; owned by the orders service. */
export const corrections = topic("corrections", {
  key: "correctionId",
  events: {
    /** A customer sent goods back: stock grows, money and points go the other way. */
    goodsReturned: event("goods.returned", Correction),
    /** Goods were lost or broken. The books count it among the orders, at no price. */
    goodsWrittenOff: event("goods.written-off", Correction),
    /** The accountant corrected a sum. No goods move. */
    booksAdjusted: event("books.adjusted", Correction),
  },
});
