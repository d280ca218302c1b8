import { embedded, millrace, service, silentLogger } from "millrace";
import { order, orders } from "./order.js";
import { owner } from "./orders-app.js";

// The process that memory.ts watches: `node memory-process.js DIR EVENTS_PER_SECOND SECONDS`. It publishes at a steady rate,
// one by one, handles everything in two consumers, and says each second how it stands.

const [dir = ".", perSecond = "10000", seconds = "60"] = process.argv.slice(2);
const everyMs = 10;
const total = Number(perSecond) * Number(seconds);

const handled = { counting: 0, archive: 0 };
const counting = service("counting").on(orders.placed, () => {
  handled.counting += 1;
});
/** The one that is paused for a while. */
const archive = service("archive").on(orders.placed, () => {
  handled.archive += 1;
});
const app = millrace({
  services: [owner, counting, archive],
  engine: embedded(dir),
  logger: silentLogger,
  signals: false,
});
await app.start();

let begun = 0;
let acknowledged = 0;
let lagMost = 0;
const started = performance.now();
const publishing = new Promise<void>((resolve, reject) => {
  const turn = setInterval(() => {
    const due = Math.min(total, Math.floor(((performance.now() - started) * Number(perSecond)) / 1_000));
    for (; begun < due; begun += 1)
      app.publish(orders.placed(order(begun))).then(() => {
        acknowledged += 1;
        lagMost = Math.max(lagMost, acknowledged - handled.archive);
        if (acknowledged === total) resolve();
      }, reject);
    if (begun === total) clearInterval(turn);
  }, everyMs);
});

const say = () => {
  const { rss, heapUsed, external } = process.memoryUsage();
  const second = Math.round((performance.now() - started) / 1_000);
  const line = { second, rss, heapUsed, external, begun, acknowledged, ...handled, lagMost };
  process.stdout.write(`${JSON.stringify(line)}\n`);
};
const saying = setInterval(say, 1_000);
await publishing;
await app.settled();
say();
clearInterval(saying);
await app.stop();
