import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { embedded, millrace, projection, service, silentLogger } from "millrace";
import { z } from "zod";
import { cli } from "./cli.js";
import { steadily } from "./load.js";
import { order, orders } from "./order.js";
import { owner, preload } from "./orders-app.js";
import { program, say } from "./program.js";
import { latency } from "./statistics.js";

const usage = `Usage: npm run rebuild:live -- [--events 500000] [--rate 5000] [--seconds 10] [--json]

  Two projections, live over a log of so many events, are rebuilt by the command line while so many more come each second.
  Both are swapped in, the load goes on, and then every row is compared: with a fresh fold of the log, with the build that
  answered before, and by count. Says how long publish → handled took meanwhile, and for so many seconds before.

  Exit status 1: a row is wrong or missing.
`;

interface Wishes {
  readonly events: number;
  readonly rate: number;
  readonly seconds: number;
  readonly json: boolean;
}

function read(): Wishes {
  const { values } = parseArgs({
    options: {
      events: { type: "string", default: "500000" },
      rate: { type: "string", default: "5000" },
      seconds: { type: "string", default: "10" },
      json: { type: "boolean", default: false },
    },
  });
  const [events, rate, seconds] = [Number(values.events), Number(values.rate), Number(values.seconds)];
  if (!(events > 0 && rate > 0 && seconds > 0)) throw new Error("--events, --rate and --seconds are numbers above 0");
  return { events, rate, seconds, json: values.json };
}

const Spent = z.object({ orders: z.int(), spentPence: z.int() });
const Placed = z.object({ customerId: z.string(), totalPence: z.int() });
/** A row for each customer, and a row for each order. */
const spent = projection("spent", { version: 1, row: Spent, indexes: ["orders"] }).on(
  orders.placed,
  (row = { orders: 0, spentPence: 0 }, { data }) => ({
    orders: row.orders + 1,
    spentPence: row.spentPence + data.totalPence,
  }),
);
const placed = projection("placed", { version: 1, row: Placed }).on(
  orders.placed,
  { key: ({ data }) => data.orderId },
  (_, { data: { customerId, totalPence } }) => ({ customerId, totalPence }),
);

interface Told {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function projections(dir: string, ...args: readonly string[]): Promise<Told> {
  const all = [cli, "projections", ...args, "--dir", dir, "--timeout", "10m", "-o", "json"];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, all, { maxBuffer: 2 ** 26 }, (_, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

async function act(dir: string, ...args: readonly string[]): Promise<void> {
  const { code, err } = await projections(dir, ...args, "--reason", "the live rebuild", "--yes");
  if (code !== 0) throw new Error(`projections ${args.join(" ")} ended with ${code}: ${err}`);
}

/** What came of it. Latencies are publish → handled, in ms. */
interface Result {
  readonly events: number;
  readonly duringRebuild: number;
  readonly rebuildSeconds: number;
  readonly calm: { readonly p50: number; readonly p99: number };
  readonly building: { readonly p50: number; readonly p99: number };
  readonly p99Ratio: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly wrong: readonly string[];
}

async function measure({ events, rate, seconds }: Wishes): Promise<Result> {
  const dir = mkdtempSync(join(tmpdir(), "millrace-rebuild-live-"));
  process.once("exit", () => rmSync(dir, { recursive: true, force: true }));
  await preload(dir, events);
  const heard = new Map<string, () => void>();
  const reading = service("reading").on(orders.placed, { from: "end" }, ({ data }) => heard.get(data.orderId)?.());
  const app = millrace({
    services: [owner, reading, service("views").owns(spent, placed)],
    engine: embedded(dir),
    logger: silentLogger,
    signals: false,
  });
  await app.start();
  await app.settled();
  say(`rebuild-live: ${events} events are folded into two projections`);
  let timesMs: number[] = [];
  let published = events;
  let stopped = false;
  const flowing = steadily({ perSecond: rate, ended: () => stopped }, async (n, dueMs) => {
    const one = order(events + n);
    const handled = new Promise<void>((done) => heard.set(one.orderId, done));
    await app.publish(orders.placed(one));
    await handled;
    heard.delete(one.orderId);
    published += 1;
    timesMs.push(performance.now() - dueMs);
  });
  const taken = () => {
    const times = timesMs;
    timesMs = [];
    return latency(times);
  };
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(1_000);
  taken();
  // The command line takes part of the processors in either phase.
  await projections(dir, "ls");
  await pause(seconds * 1_000);
  await projections(dir, "ls");
  const calm = taken();
  const [began, before] = [performance.now(), published];
  for (const name of ["spent", "placed"]) await act(dir, "rebuild", name);
  for (const name of ["spent", "placed"]) await act(dir, "swap", name, "--wait", "10m");
  const rebuildSeconds = (performance.now() - began) / 1_000;
  const building = taken();
  const duringRebuild = published - before;
  say(`rebuild-live: built and swapped in ${rebuildSeconds.toFixed(1)} s, while ${duringRebuild} events came`);
  await pause(1_000);
  stopped = true;
  await flowing;
  await app.settled();
  const { rows, wrong } = await compared(dir, { app, published });
  await app.stop();
  const p99Ratio = building.p99 / calm.p99;
  return { events: published, duringRebuild, rebuildSeconds, calm, building, p99Ratio, rows, wrong };
}

/** Every row, with the log, with the build before, and by number. */
async function compared(
  dir: string,
  { app, published }: { readonly app: ReturnType<typeof millrace>; readonly published: number },
): Promise<Pick<Result, "rows" | "wrong">> {
  const wrong: string[] = [];
  const rows: Record<string, number> = {};
  const expected = { spent: Math.min(published, 10_000), placed: published };
  for (const view of [spent, placed]) {
    const { name } = view;
    for (const verb of ["verify", "compare"]) {
      const { code, out, err } = await projections(dir, verb, name);
      if (code !== 0) wrong.push(`${verb} ${name}: ${out}${err}`);
    }
    rows[name] = await app.projection(view as typeof spent).count();
    if (rows[name] !== expected[name as keyof typeof expected])
      wrong.push(`${name} has ${rows[name]} rows instead of ${expected[name as keyof typeof expected]}`);
  }
  return { rows, wrong };
}

async function run(wishes: Wishes): Promise<void> {
  const result = await measure(wishes);
  if (wishes.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  const { calm, building } = result;
  say(
    `events     ${result.events}, of which ${result.duringRebuild} came during the ${result.rebuildSeconds.toFixed(1)} s of the rebuild`,
  );
  say(`calm       p50 ${calm.p50.toFixed(2)} ms, p99 ${calm.p99.toFixed(2)} ms`);
  say(
    `building   p50 ${building.p50.toFixed(2)} ms, p99 ${building.p99.toFixed(2)} ms: ${result.p99Ratio.toFixed(2)} times`,
  );
  say(
    `rows       ${Object.entries(result.rows)
      .map(([name, n]) => `${name} ${n}`)
      .join(", ")}`,
  );
  say(result.wrong.length === 0 ? "equal      every row" : `WRONG\n${result.wrong.join("\n")}`);
  if (result.wrong.length > 0) process.exitCode = 1;
}

await program({ usage, read, run });
