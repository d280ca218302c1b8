import type { App } from "millrace";

/** The books in figures, with the keys of `shared/data/golden.json`. Money is in pence. */
export interface Report {
  readonly lines: number;
  readonly invoices: number;
  readonly cancellations: number;
  readonly adjustments: number;
  readonly customers: number;
  readonly pence: number;
  readonly penceOfOrders: number;
  readonly penceOfCancellations: number;
  readonly topCountries: readonly (readonly [country: string, pence: number])[];
  readonly topCustomers: readonly (readonly [customer: string, pence: number])[];
  readonly months: Readonly<Record<string, number>>;
}

/** Reads the report from the read models of analytics, and from nothing else. */
export async function report(app: Pick<App, "query">): Promise<Report> {
  const books = await app.query`SELECT kind, invoices, lines, pence FROM analytics_books`;
  const sum = (column: "invoices" | "lines" | "pence", kind?: string) =>
    books
      .filter((row) => kind === undefined || row.kind === kind)
      .reduce((total, row) => total + Number(row[column]), 0);
  const [customers] = await app.query`SELECT count(*) AS count FROM analytics_customers`;
  // Of equals, the one that the books met first comes first.
  const countries = await app.query`SELECT country AS name, pence FROM analytics_countries
    ORDER BY pence DESC, since, country LIMIT 5`;
  const buyers = await app.query`SELECT customer AS name, pence FROM analytics_customers
    ORDER BY pence DESC, since, customer LIMIT 5`;
  const months = await app.query`SELECT month, pence FROM analytics_months ORDER BY month`;
  const pair = (row: Readonly<Record<string, unknown>>) => [String(row.name), Number(row.pence)] as const;
  return {
    lines: sum("lines"),
    invoices: sum("invoices"),
    cancellations: sum("invoices", "cancellation"),
    adjustments: sum("invoices", "adjustment"),
    customers: Number(customers?.count ?? 0),
    pence: sum("pence"),
    penceOfOrders: sum("pence", "order"),
    penceOfCancellations: sum("pence", "cancellation"),
    topCountries: countries.map(pair),
    topCustomers: buyers.map(pair),
    months: Object.fromEntries(months.map((row) => [String(row.month), Number(row.pence)])),
  };
}

/** How many orders and corrections are done with: the orders shipped or cancelled, and all corrections. */
export async function finished(app: Pick<App, "query">): Promise<number> {
  const [row] = await app.query`SELECT
    (SELECT coalesce(sum(CASE stage WHEN 'unpacked' THEN -orders ELSE orders END), 0) FROM analytics_stages WHERE stage <> 'placed')
    + (SELECT coalesce(sum(invoices), 0) FROM analytics_books)
    - (SELECT coalesce(sum(orders), 0) FROM analytics_stages WHERE stage = 'placed') AS finished`;
  return Number(row?.finished ?? 0);
}
