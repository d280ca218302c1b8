import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { embedded } from "millrace";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Report } from "../analytics/report.js";
import { startOutside } from "../outside/outside.js";
import { styles } from "../rehearsal.js";
import { styleName } from "../style.js";
import { historicalShop } from "./history.js";
import { replay } from "./run.js";

const real = resolve(import.meta.dirname, "../../../../../shared/data/online_retail/online_retail.csv.gz");
const linesMax = 20_000;

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "millrace-replay-"));
});
afterAll(() => rm(dir, { recursive: true }));

for (const style of styles.filter((one) => one === styles[0] || one === styles.at(-1)))
  it(`answers the first 20,000 lines of the real invoices as a plain loop over them does: ${styleName(style)}`, async (context) => {
    if (!existsSync(real) && process.env.CI !== "true") {
      console.info(`skipped: ${real} is not there`);
      context.skip("the real invoices are not there");
    }
    const csv = gunzipSync(await readFile(real)).toString("utf8");
    // No line end stands inside of a field here; the csv tests have those.
    const slice = csv.split("\n", linesMax + 1);
    const file = join(dir, "slice.csv");
    await writeFile(file, slice.join("\n"));

    const outside = await startOutside();
    const app = historicalShop({ engine: embedded(join(dir, styleName(style))), outside, style });
    await app.start();
    const answers = await replay(app, { file, terminal: { write: () => undefined } });
    await app.stop();
    await outside.stop();
    expect(answers).toEqual(answersTo(slice.slice(1)));
  }, 120_000);

/** The answers in the plainest way: one loop, whole tenths of a penny, nothing of the code under test. */
function answersTo(lines: readonly string[]): Report {
  const invoices = new Set<string>();
  const kinds = new Map<string, number>();
  const countries = new Map<string, number>();
  const customers = new Map<string, number>();
  const months = new Map<string, number>();
  const add = (sums: Map<string, number>, key: string, pence: number) => sums.set(key, (sums.get(key) ?? 0) + pence);
  for (const line of lines) {
    const match =
      /^([^,]*),[^,]*,(?:"(?:[^"]|"")*"|[^,]*),(-?\d+),(\d{4}-\d\d)[^,]*,(-?)(\d+)\.(\d+),([^,]*),(.*)$/.exec(line);
    if (match === null) throw new Error(`cannot read ${line}`);
    const [, invoice = "", quantity, month = "", sign, whole = "", fraction = "", customer = "", country = ""] = match;
    const tenths = Number(whole + fraction.padEnd(3, "0")) * Number(quantity) * (sign === "-" ? -1 : 1);
    const pence = Math.abs(tenths % 10) === 5 ? 2 * Math.round(tenths / 20) : Math.round(tenths / 10);
    invoices.add(invoice);
    add(kinds, /\d/.test(invoice.charAt(0)) ? "order" : invoice.charAt(0), pence);
    add(countries, country, pence);
    add(months, month, pence);
    if (customer !== "") add(customers, customer, pence);
  }
  const counted = (letter: string) => [...invoices].filter((invoice) => invoice.startsWith(letter)).length;
  const top = (sums: Map<string, number>) => [...sums].sort(([, a], [, b]) => b - a).slice(0, 5);
  return {
    lines: lines.length,
    invoices: invoices.size,
    cancellations: counted("C"),
    adjustments: counted("A"),
    customers: customers.size,
    pence: [...kinds.values()].reduce((sum, pence) => sum + pence, 0),
    penceOfOrders: kinds.get("order") ?? 0,
    penceOfCancellations: kinds.get("C") ?? 0,
    topCountries: top(countries),
    topCustomers: top(customers),
    months: Object.fromEntries([...months].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}
