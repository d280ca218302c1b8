import type { MillraceApp } from "millrace";
import { type Report, report } from "../analytics/report.js";
import { customers } from "../contracts/customers.js";
import { invoices } from "../contracts/invoices.js";
import { type Backlog, backlog } from "./backlog.js";
import { csvRecords } from "./csv.js";
import { readText } from "./file.js";
import { gatherInvoices, type Invoice } from "./invoices.js";
import { progress, type Terminal } from "./progress.js";

/** Invoices on their way to the disk at one time: the log writes them in groups, with one flush for each group. */
const inFlightMax = 256;
/** Customers remembered as sent. Forgetting them costs a repeat, which changes nothing. */
const customersMax = 20_000;

/** How a replay is run. */
export interface ReplayOptions {
  readonly file: string;
  /** Invoices a second; undefined: as fast as they go. */
  readonly rate?: number | undefined;
  readonly terminal: Terminal;
  /** Waits until so many invoices are through the shop, where that is not known from this process alone. */
  readonly rest?: (sent: number) => Promise<void>;
}

/**
 * Sends every invoice of a file through the whole shop, waits until all is at rest, and reads the report.
 *
 * **Repeats change nothing.** The id of each event comes from the invoice's number, and the log takes an id once: an
 * invoice that is sent again is the event that is there already. So there is no position to store and none to lose:
 * after a crash at any moment the same command starts from the top, and whatever was missing is added.
 *
 * @throws {Failure} EVENT_ID_REUSED when an invoice number comes back with other content.
 * @throws when all is at rest and invoices are stuck, in dead letters or before a stopped consumer.
 */
export async function replay(app: MillraceApp, options: ReplayOptions): Promise<Report> {
  const { file, rate, terminal } = options;
  const reading = await readText(file);
  const bar = progress("invoices", terminal);
  const ahead = backlog(app);
  const started = performance.now();
  const sending = new Set<Promise<unknown>>();
  const known = new Set<string>();
  let failure: unknown;
  let [records, lines, sent] = [0, 0, 0];
  const counted = count(csvRecords(reading.text), () => {
    records += 1;
  });
  for await (const invoice of gatherInvoices(counted)) {
    const promise = send(app, invoice, known)
      .catch((error: unknown) => {
        failure ??= error;
      })
      .finally(() => sending.delete(promise));
    sending.add(promise);
    // The oldest is enough to wait for: one flush of the log answers many at once.
    const [oldest] = sending;
    if (sending.size >= inFlightMax) await oldest;
    if (failure !== undefined) throw failure;
    sent += 1;
    lines += invoice.lines.length;
    if (rate !== undefined) await until(started + (sent / rate) * 1_000);
    await ahead.room(sent);
    // How many there are is known at the end only. Until then: of the file so much is read, of that so much is sent, of
    // that so much is finished.
    const finished = ahead.finished();
    bar.update(reading.progress() * (lines / records) * (finished / Math.max(sent, finished)), finished);
  }
  await Promise.all(sending);
  if (failure !== undefined) throw failure;
  const settled = options.rest?.(sent) ?? app.settled();
  await rest(settled, ahead, (finished) => bar.update(Math.min(1, finished / Math.max(1, sent)), finished));
  const stuck = sent - ahead.finished();
  if (stuck > 0) throw new Error(`${stuck} of ${sent} invoices did not get through; see millrace dead-letters ls`);
  bar.done(sent);
  return report(app);
}

/** The customer first, when this run has not met them yet: fraud and notifications want to know whom they deal with. */
async function send(app: MillraceApp, invoice: Invoice, known: Set<string>): Promise<void> {
  const { customerId, country } = invoice;
  const id = customerId === undefined ? undefined : idOf("customer", customerId, country);
  if (customerId !== undefined && id !== undefined && !known.has(id)) {
    if (known.size === customersMax) known.clear();
    known.add(id);
    const email = `${customerId}@customers.example`;
    await app.publish(customers.registered({ customerId, name: `customer ${customerId}`, email, country }), { id });
  }
  await app.publish(invoices.recorded(invoice), { id: idOf("invoice", invoice.invoiceNo) });
}

/** The same for the same thing on every run. Ids are printable and without spaces. */
function idOf(...parts: readonly string[]): string {
  return parts.map(encodeURIComponent).join("/");
}

/** Waits until every consumer has handled everything, showing how many invoices are left. */
async function rest(through: Promise<void>, ahead: Backlog, show: (finished: number) => void): Promise<void> {
  let settled = false;
  const settling = through.then(() => {
    settled = true;
  });
  while (!settled) {
    await Promise.race([settling, pause(100)]);
    show(await ahead.look());
  }
}

async function* count<T>(items: AsyncIterable<T>, counted: () => void): AsyncGenerator<T> {
  for await (const item of items) {
    counted();
    yield item;
  }
}

async function until(moment: number): Promise<void> {
  const ms = moment - performance.now();
  if (ms > 1) await pause(ms);
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms).unref());
}
