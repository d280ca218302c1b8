// A program that flow-crash.test.ts kills: `node flow-process.js FOLDER EVENTS FROM`. Each line on stdout is a promise that the
// event of its number is on disk.
import { setImmediate as turn } from "node:timers/promises";
import { z } from "zod";
import type { EventOptions } from "../consumer/options.js";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { say } from "../runtime/say.js";
import { service } from "../service/declare.js";
import { createApp } from "./create.js";

const [folder = ".", count = "0", from = "1"] = process.argv.slice(2);
const eventsMax = Number(count);

const Price = z.object({ sku: z.string(), n: z.int() });
const prices = topic("prices", { key: "sku", partitions: 3, events: { changed: event("price.changed", Price) } });
const labels = documents("labels", z.object({ sku: z.string(), n: z.int(), shown: z.int() }), { id: "sku" });

/** Shows prices: each run is a row, and a document counts them. Some first runs fail. */
const screen = (name: string, options: EventOptions<never>) =>
  service(name)
    .migrations({ [`001-${name}`]: `CREATE TABLE ${name}(seq INTEGER PRIMARY KEY AUTOINCREMENT, sku TEXT, n INTEGER)` })
    .on(prices.changed, { ...options, from: "beginning" }, async ({ data }, ctx) => {
      const label = await ctx.documents(labels).get(data.sku);
      await turn();
      if (ctx.attempt === 1 && data.n % 17 === 0) throw new Error("the first run of this one fails");
      ctx.documents(labels).put({ ...data, shown: (label?.shown ?? 0) + 1 });
      if (name === "coalesced") ctx.sql`INSERT INTO coalesced(sku, n) VALUES (${data.sku}, ${data.n})`;
      else ctx.sql`INSERT INTO debounced(sku, n) VALUES (${data.sku}, ${data.n})`;
    });

const services = [
  screen("coalesced", { coalesce: true, concurrency: 4 }),
  screen("debounced", {
    debounce: { quiet: "5ms", waitMax: "20ms" },
    perKey: { rateLimit: { events: 100, per: "1s" } },
  }),
  service("shop").owns(prices),
];

// A key has ten events, one after the other among those of seven other keys, and no more: nothing later hides a lost one.
const skuOf = (n: number) => `sku-${Math.floor(n / 80)}-${n % 8}`;

const app = createApp({ services, engine: embedded(folder), logger: silentLogger }, []);
await app.start();
let next = Number(from);
await Promise.all(
  Array.from({ length: 4 }, async () => {
    while (next <= eventsMax) {
      const n = next;
      next += 1;
      await app.publish(prices.changed({ sku: skuOf(n), n }), { id: `price-${n}` });
      say(n);
    }
  }),
);
await app.settled();
await app.stop();
