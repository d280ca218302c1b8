import type { DataOf } from "millrace";
import type { invoices } from "../contracts/invoices.js";

/** An invoice with all its lines, as it goes into `invoice.recorded`. */
export type Invoice = DataOf<typeof invoices.recorded>;
type Line = Invoice["lines"][number];

/** Half-read invoices kept at most: what bounds the memory, and how far apart two lines of one invoice may be. */
const openMax = 1_000;
/** An event may have 10,000 keys, and an order line has up to four. */
const linesMax = 2_400;

const columns = ["InvoiceNo", "StockCode", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country"] as const;
type Row = Readonly<Record<(typeof columns)[number], string>>;

/**
 * Gathers the lines of a till's export into invoices.
 *
 * Lines of one invoice mostly follow each other, but two tills may have written at once. So an invoice is complete only
 * when 1,000 others have had a line since its last one. Should a line come even later, it would make a second invoice of
 * the same number; that is never taken silently, because both have the id `invoice-NUMBER` and the log refuses one id
 * with two contents.
 *
 * @param records a header and rows, as from `csvRecords`
 * @throws {SyntaxError} when a column is missing, a field is no such value, or lines of one invoice contradict each other.
 */
export async function* gatherInvoices(records: AsyncIterable<readonly string[]>): AsyncGenerator<Invoice> {
  // In the order of their last line: the first is the one that has been quiet for longest.
  const open = new Map<string, Open>();
  let number = 0;
  let rowOf: ((record: readonly string[]) => Row) | undefined;
  let last: Open | undefined;
  for await (const record of records) {
    number += 1;
    if (rowOf === undefined) {
      rowOf = header(record);
      continue;
    }
    const row = rowOf(record);
    if (row.InvoiceNo !== last?.invoiceNo) {
      last = open.get(row.InvoiceNo) ?? begin(row, number);
      open.delete(last.invoiceNo);
      open.set(last.invoiceNo, last);
      for (const [quiet, invoice] of open) {
        if (open.size <= openMax) break;
        open.delete(quiet);
        yield finish(invoice);
      }
    }
    add(last, row, number);
  }
  for (const invoice of open.values()) yield finish(invoice);
}

/** An invoice that may still get lines. */
type Open = Omit<Invoice, "lines"> & { readonly lines: Line[] };

function begin(row: Row, number: number): Open {
  if (row.InvoiceNo === "") throw new SyntaxError(`record ${number}: InvoiceNo is empty`);
  return {
    invoiceNo: row.InvoiceNo,
    ...(row.CustomerID !== "" && { customerId: row.CustomerID }),
    country: row.Country,
    issuedAt: utc(row.InvoiceDate, number),
    lines: [],
  };
}

function add(invoice: Open, row: Row, number: number): void {
  const where = `record ${number}, invoice ${invoice.invoiceNo}`;
  if (row.CustomerID !== (invoice.customerId ?? "") || row.Country !== invoice.country) {
    throw new SyntaxError(`${where}: another customer or country than on its first line; an invoice has one of each`);
  }
  if (invoice.lines.length === linesMax) {
    throw new SyntaxError(
      `${where}: it has more than ${linesMax} lines, which one event cannot carry; split the invoice`,
    );
  }
  const quantity = Number(row.Quantity);
  if (!/^[+-]?\d+$/.test(row.Quantity) || !Number.isSafeInteger(quantity)) {
    throw new SyntaxError(`${where}: Quantity is ${JSON.stringify(row.Quantity)}, not a whole number`);
  }
  const at = utc(row.InvoiceDate, number);
  invoice.lines.push({
    sku: row.StockCode,
    quantity,
    unitPrice: row.UnitPrice,
    ...(at !== invoice.issuedAt && { at }),
  });
}

function finish({ lines, ...invoice }: Open): Invoice {
  return { ...invoice, lines };
}

/** `2010-12-01 08:26:00`, which the data's README says to take as UTC. */
function utc(text: string, number: number): string {
  const parts = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)$/.exec(text);
  if (parts === null)
    throw new SyntaxError(`record ${number}: InvoiceDate is ${JSON.stringify(text)}, not YYYY-MM-DD HH:MM:SS`);
  return `${parts[1]}T${parts[2]}Z`;
}

/** Columns may come in any order, and others may stand between them. */
function header(names: readonly string[]): (record: readonly string[]) => Row {
  const clean = names.map((name) => name.replace(/^\uFEFF/, "").trim());
  const missing = columns.filter((column) => !clean.includes(column));
  if (missing.length > 0) throw new SyntaxError(`the first line has no column ${missing.join(", ")}`);
  const [invoiceNo, sku, quantity, date, price, customer, country] = columns.map((column) => clean.indexOf(column));
  const at = (record: readonly string[], index: number | undefined) => record[index ?? -1] ?? "";
  return (record) => ({
    InvoiceNo: at(record, invoiceNo),
    StockCode: at(record, sku),
    Quantity: at(record, quantity),
    InvoiceDate: at(record, date),
    UnitPrice: at(record, price),
    CustomerID: at(record, customer),
    Country: at(record, country),
  });
}
