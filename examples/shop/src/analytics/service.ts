import { type Context, service } from "millrace";
import { corrections } from "../contracts/corrections.js";
import { orders } from "../contracts/orders.js";
import type { BookLine } from "../contracts/parts.js";
import { shipments } from "../contracts/shipments.js";
import { migrations } from "./tables.js";

/** Something that the books count. */
interface Entry {
  readonly kind: "order" | "cancellation" | "adjustment";
  readonly customerId?: string | undefined;
  readonly country: string;
  readonly at: string;
  readonly lines: readonly BookLine[];
  readonly totalPence: number;
}

/**
 * Counts: sales by country, customer and month, and how far orders have come. It hears everything and says nothing.
 *
 * Every event of the shop ends in a handful of rows here, the hottest there are. As documents they would be read,
 * changed and written, and would run each other over. A statement like `SET pence = pence + ?` reads nothing beforehand,
 * so it cannot be stale: it runs inside the commit, once for each event, and no unit ever has to run again.
 */
export function analyticsService() {
  return service("analytics")
    .migrations(migrations)
    .on(orders.placed, { from: "beginning" }, ({ data }, ctx) => {
      count(ctx, "placed");
      book(ctx, { ...data, kind: "order", at: data.placedAt });
    })
    .on(orders.cancelled, { from: "beginning" }, (_, ctx) => count(ctx, "cancelled"))
    .on(shipments.prepared, { from: "beginning" }, (_, ctx) => count(ctx, "shipped"))
    .on(shipments.unpacked, { from: "beginning" }, (_, ctx) => count(ctx, "unpacked"))
    .on(corrections.goodsReturned, { from: "beginning" }, ({ data }, ctx) =>
      book(ctx, { ...data, kind: "cancellation" }),
    )
    .on(corrections.goodsWrittenOff, { from: "beginning" }, ({ data }, ctx) => book(ctx, { ...data, kind: "order" }))
    .on(corrections.booksAdjusted, { from: "beginning" }, ({ data }, ctx) =>
      book(ctx, { ...data, kind: "adjustment" }),
    );
}

function count(ctx: Context<never>, stage: "placed" | "cancelled" | "shipped" | "unpacked"): void {
  ctx.sql`INSERT INTO analytics_stages (stage, orders) VALUES (${stage}, 1)
    ON CONFLICT (stage) DO UPDATE SET orders = analytics_stages.orders + 1`;
}

function book(ctx: Context<never>, { kind, customerId, country, at, lines, totalPence }: Entry): void {
  ctx.sql`INSERT INTO analytics_books (kind, invoices, lines, pence) VALUES (${kind}, 1, ${lines.length}, ${totalPence})
    ON CONFLICT (kind) DO UPDATE SET invoices = analytics_books.invoices + 1, lines = analytics_books.lines + excluded.lines,
      pence = analytics_books.pence + excluded.pence`;
  ctx.sql`INSERT INTO analytics_countries (country, pence, since) VALUES (${country}, ${totalPence}, ${at})
    ON CONFLICT (country) DO UPDATE SET pence = analytics_countries.pence + excluded.pence,
      since = CASE WHEN excluded.since < analytics_countries.since THEN excluded.since ELSE analytics_countries.since END`;
  if (customerId !== undefined) {
    ctx.sql`INSERT INTO analytics_customers (customer, pence, since) VALUES (${customerId}, ${totalPence}, ${at})
      ON CONFLICT (customer) DO UPDATE SET pence = analytics_customers.pence + excluded.pence,
        since = CASE WHEN excluded.since < analytics_customers.since THEN excluded.since ELSE analytics_customers.since END`;
  }
  for (const [month, pence] of penceByMonth(lines, at)) {
    ctx.sql`INSERT INTO analytics_months (month, pence) VALUES (${month}, ${pence})
      ON CONFLICT (month) DO UPDATE SET pence = analytics_months.pence + excluded.pence`;
  }
}

/** A line counts in the month in which it was rung up: an invoice written over midnight may have lines in two. */
function penceByMonth(lines: readonly BookLine[], at: string): Map<string, number> {
  const months = new Map<string, number>();
  for (const line of lines) {
    const month = (line.at ?? at).slice(0, 7);
    months.set(month, (months.get(month) ?? 0) + line.pence);
  }
  return months;
}
