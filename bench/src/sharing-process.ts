import { subscribe } from "node:diagnostics_channel";
import { setTimeout as pause } from "node:timers/promises";
import { service } from "millrace";
import { answering } from "./child.js";
import { order, orders } from "./order.js";
import { owner, startApp } from "./orders-app.js";

/** What a process that shares a file may be asked. */
export type SharingQuestion =
  | { readonly type: "publish"; readonly first: number; readonly total: number }
  /** How many events' effects are on disk, of all that this process handled. */
  | { readonly type: "handled" }
  /** When each order's handler began, by this machine's monotonic clock (ms). */
  | { readonly type: "seen" };

// A process that takes part in a folder's file: its handler waits as long as the second argument says, as for a reply.
const [dir = "", waitMs = "0"] = process.argv.slice(2);
const wait = Number(waitMs);
const together = 500;
let handled = 0;
const seen = new Map<string, number>();

subscribe("millrace:handled", () => {
  handled += 1;
});
const reading = service("reading").on(orders.placed, { concurrency: 1_000 }, async ({ data }) => {
  seen.set(data.orderId, monotonicMs());
  if (wait > 0) await pause(wait);
});
const app = await startApp(dir, [owner, reading]);

answering(async (asked) => {
  const question = asked as SharingQuestion;
  switch (question.type) {
    case "publish":
      for (let n = question.first; n < question.first + question.total; n += together) {
        const count = Math.min(together, question.first + question.total - n);
        await app.publish(Array.from({ length: count }, (_, index) => orders.placed(order(n + index))));
      }
      return undefined;
    case "handled":
      return handled;
    case "seen":
      return [...seen];
  }
});

function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
