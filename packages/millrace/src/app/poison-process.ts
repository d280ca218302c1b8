// A program that poison.test.ts starts again and again: `node poison-process.js FOLDER EVENTS abort|kill|innocent [stay]`. It
// publishes its events at the first start, and writes a line for each that is handled. One event of the many kills the
// process. With `stay` it goes on beside others, until its standard input ends.
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { say } from "../runtime/say.js";
import { service } from "../service/declare.js";
import { createApp } from "./create.js";

const [folder = ".", count = "0", mode, stay] = process.argv.slice(2);
const events = Number(count);
const keys = 20;
const poison = 57;

const Job = z.object({ key: z.string(), n: z.int() });
const jobs = topic("jobs", { key: "key", events: { given: event("job.given", Job) } });

const working = service("working")
  .migrations({ "001-done": "CREATE TABLE done(seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, n INTEGER)" })
  .on(jobs.given, { from: "beginning" }, async ({ data }, ctx) => {
    await sleep(2);
    if (data.n === poison && mode === "abort") process.abort();
    if (data.n === poison && mode === "kill") {
      process.kill(process.pid, "SIGKILL");
      // The signal takes a moment; nothing of this event is to be committed in it.
      await new Promise<void>(() => {});
    }
    ctx.sql`INSERT INTO done(key, n) VALUES (${data.key}, ${data.n})`;
  });
/** Innocent, and under way at each crash. */
const beside = service("beside")
  .migrations({ "001-beside": "CREATE TABLE beside(seq INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT, n INTEGER)" })
  .on(jobs.given, { from: "beginning" }, async ({ data }, ctx) => {
    await sleep(5);
    ctx.sql`INSERT INTO beside(key, n) VALUES (${data.key}, ${data.n})`;
    say(data.n);
  });

const app = createApp({ services: [working, beside], engine: embedded(folder), logger: silentLogger }, []);
await app.start();
const missing = Array.from({ length: events }, (_, n) => jobs.given({ key: `k-${n % keys}`, n }));
for (const [n, message] of missing.entries()) await app.publish(message, { id: `job-${n}` });
if (stay === "stay") for await (const _ of process.stdin);
await app.settled();
await app.stop();
