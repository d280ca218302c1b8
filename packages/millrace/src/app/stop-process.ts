import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { createApp } from "./create.js";

// A program for stop.test.ts: handles one job that ends only after SIGTERM has come.

const Job = z.object({ key: z.string() });
const jobs = topic("jobs", { key: "key", events: { given: event("job.given", Job) } });
const done = documents("done", z.object({ key: z.string(), times: z.int() }), { id: "key" });
const say = (line: string) => process.stdout.write(`${line}\n`);

const working = service("working").on(jobs.given, async ({ data }, ctx) => {
  const told = new Promise<void>((resolve) => process.once("SIGTERM", () => setImmediate(resolve)));
  say("handling");
  await told;
  say(`aborted ${ctx.signal.aborted}`);
  ctx.documents(done).put({ key: data.key, times: 1 });
});

const app = createApp({ services: [working], engine: embedded(process.argv[2]), logger: silentLogger }, []);
await app.start();
await app.publish(jobs.given({ key: "a" }));
await app.closed;
say("closed");
