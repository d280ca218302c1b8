// A relay in a process of its own, which is killed: sends what a database's outbox holds to its parent, and waits for the answer.
import pg from "pg";
import { Relay } from "../outbox/relay.js";
import { PostgresOutbox } from "../postgres/outbox.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import type { TrialPage } from "./trial-order.js";

const [url, member] = process.argv.slice(2) as [string, string];
const pool = new pg.Pool({ connectionString: url, max: 4 });
const waiting = new Map<number, () => void>();
let pages = 0;

process.on("message", (page: number) => {
  waiting.get(page)?.();
  waiting.delete(page);
});
process.on("disconnect", () => process.exit(0));

const relay = new Relay({
  outbox: new PostgresOutbox({
    ...{ pool, shared: "millrace", member, leaseMs: 500, logger: silentLogger },
    onCommitted: () => () => {},
  }),
  log: {
    async append(records) {
      pages += 1;
      const page = pages;
      const events = records.map(({ key, data }) => [key, Number(data)] as const);
      await new Promise<void>((acknowledged) => {
        waiting.set(page, acknowledged);
        process.send?.({ page, events } satisfies TrialPage);
      });
    },
  },
  clock: systemClock,
  logger: silentLogger,
});
await relay.start();
