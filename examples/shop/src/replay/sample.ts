import type { Report } from "../analytics/report.js";

/** A made-up export of a till, and the answers to it, worked out line by line while it was made. */
export interface Sample {
  readonly csv: string;
  readonly answers: Report;
}

const header = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country";
const countries = ["United Kingdom", "France", "EIRE", "Germany", "Netherlands", "Channel Islands", "Japan"];
const descriptions = ["PLAIN CUP", '"LETTER ""D"" BLING, KEY RING"', '"TWO\nLINES"', "", '"COMMA, COMMA"'];

/**
 * Makes an export with everything that the real one has: quoted descriptions, invoices with two timestamps, over a month's
 * end too, cancellations, adjustments, write-offs, guests, duplicate lines, prices of three decimals, and lines of one
 * invoice with other invoices between them.
 *
 * Its sums are made of whole tenths of a penny, apart from the code under test.
 */
export function makeSample(invoices: number): Sample {
  const random = sequence(20_101_201);
  const books = new Ledger();
  const rows: string[] = [];
  let late: (() => void) | undefined;
  for (let n = 0; n < invoices; n += 1) {
    const kind = n % 17 === 3 ? "C" : n % 101 === 5 ? "A" : n % 23 === 7 ? "write-off" : "";
    const invoiceNo = `${kind === "write-off" ? "" : kind}${500_000 + n}`;
    const customer = n % 7 === 0 ? "" : `${12_000 + random(40)}.0`;
    const country = countries[customer === "" ? random(7) : Number(customer.slice(3, 5)) % 7] ?? "";
    // The last minute of a month: a second timestamp falls into the next one.
    const minute = n % 13 === 0 ? "2011-01-31 23:59:00" : `2011-0${1 + (n % 9)}-15 12:${10 + (n % 50)}:00`;
    const second = n % 13 === 0 ? "2011-02-01 00:00:00" : minute;
    const lines = 1 + random(n % 50 === 1 ? 300 : 12);
    books.begin(kind, customer);
    const write = (line: number) => {
      const pieces = (1 + random(20)) * (kind === "C" || kind === "write-off" ? -1 : 1);
      const tenths = kind === "write-off" ? 0 : random(40) === 0 ? 1 + random(999) : 10 * random(2_000);
      const at = line * 2 > lines ? second : minute;
      const price = `${Math.floor(tenths / 1_000)}.${String(tenths % 1_000)
        .padStart(3, "0")
        .replace(/0{1,2}$/, "")}`;
      const row = `${invoiceNo},sku-${random(60)},${descriptions[line % 5]},${pieces},${at},${price},${customer},${country}`;
      for (let copy = random(30) === 0 ? 2 : 1; copy > 0; copy -= 1) {
        rows.push(row);
        books.line({ kind, customer, country, month: at.slice(0, 7), tenths: tenths * pieces });
      }
    };
    for (let line = 0; line < lines; line += 1) write(line);
    late?.();
    late = n % 29 === 11 ? () => write(lines) : undefined;
  }
  late?.();
  return { csv: `${header}\n${rows.join("\n")}\n`, answers: books.answers() };
}

class Ledger {
  readonly #sums = {
    lines: 0,
    invoices: 0,
    cancellations: 0,
    adjustments: 0,
    pence: 0,
    penceOfOrders: 0,
    penceOfCancellations: 0,
  };
  readonly #countries = new Map<string, number>();
  readonly #customers = new Map<string, number>();
  readonly #months = new Map<string, number>();

  begin(kind: string, customer: string): void {
    this.#sums.invoices += 1;
    if (kind === "C") this.#sums.cancellations += 1;
    if (kind === "A") this.#sums.adjustments += 1;
    if (customer !== "") add(this.#customers, customer, 0);
  }

  line(line: { kind: string; customer: string; country: string; month: string; tenths: number }): void {
    const pence = halfEven(line.tenths);
    this.#sums.lines += 1;
    this.#sums.pence += pence;
    if (line.kind === "C") this.#sums.penceOfCancellations += pence;
    else if (line.kind !== "A") this.#sums.penceOfOrders += pence;
    add(this.#countries, line.country, pence);
    add(this.#months, line.month, pence);
    if (line.customer !== "") add(this.#customers, line.customer, pence);
  }

  answers(): Report {
    const top = (counts: Map<string, number>) => [...counts].sort(([, a], [, b]) => b - a).slice(0, 5);
    return {
      ...this.#sums,
      customers: this.#customers.size,
      topCountries: top(this.#countries),
      topCustomers: top(this.#customers),
      months: Object.fromEntries([...this.#months].sort(([a], [b]) => (a < b ? -1 : 1))),
    };
  }
}

function add(counts: Map<string, number>, name: string, pence: number): void {
  counts.set(name, (counts.get(name) ?? 0) + pence);
}

/** Tenths of a penny to pence: the nearest, and the even one of two. */
function halfEven(tenths: number): number {
  const down = Math.floor(tenths / 10);
  const rest = tenths - down * 10;
  if (rest === 5) return down % 2 === 0 ? down : down + 1;
  return rest > 5 ? down + 1 : down;
}

/** The same numbers on every run: a linear congruential generator (Numerical Recipes). */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
