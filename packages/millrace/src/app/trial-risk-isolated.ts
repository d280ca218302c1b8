// The isolated handler of isolation.test.ts, and the contracts it shares with it.
import { threadId } from "node:worker_threads";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import type { EventHandler } from "../service/service.js";

const Placed = z.object({ key: z.string(), what: z.string(), n: z.int() });
export const orders = topic("orders", { key: "key", partitions: 1, events: { placed: event("order.placed", Placed) } });
const Scored = z.object({ key: z.string(), score: z.int(), id: z.string() });
export const risks = topic("risks", { key: "key", events: { scored: event("risk.scored", Scored) } });
export const review = command("review", z.object({ key: z.string() }), { key: "key" });
export const scores = documents("scores", z.object({ key: z.string(), team: z.string(), by: z.array(z.int()) }), {
  id: "key",
  indexes: ["team"],
});

type Ctx = Parameters<EventHandler<typeof orders.placed, "risk.scored" | "review">>[1];
let kept: Ctx | undefined;

const score: EventHandler<typeof orders.placed, "risk.scored" | "review"> = async ({ data }, ctx) => {
  const { key, what, n } = data;
  if (what === "spin") for (;;);
  if (what === "exit" && ctx.attempt <= 2) process.exit(7);
  if (what === "leak" && ctx.attempt === 1) {
    // Nobody awaits it: the worker ends of it.
    void Promise.reject(new Error("dropped"));
    await new Promise(() => {});
  }
  if (what === "throw") throw new RangeError(`no ${key}`);
  if (what === "reject") throw new Failure("EVENT_REJECTED", "never");
  if (what === "undeclared") ctx.publish(orders.placed(data) as never);
  if (what === "late") {
    kept?.publish(risks.scored({ key, score: n, id: "late" }));
    kept = ctx;
    return;
  }
  if (what === "wait") {
    await new Promise((resolve) => ctx.signal.addEventListener("abort", resolve));
    ctx.log.info({ why: (ctx.signal.reason as Failure).code }, "aborted");
    return;
  }
  if (what === "shared") {
    const shared = (await ctx.documents(scores).get("shared")) ?? { key: "shared", team: "blue", by: [] };
    ctx.documents(scores).put({ ...shared, by: [...shared.by, n] });
    return;
  }
  const before = await ctx.documents(scores).get(key);
  const team = await ctx.documents(scores).find({ team: "red" });
  ctx.documents(scores).put({ key, team: "red", by: [...(before?.by ?? []), n] });
  ctx.publish(risks.scored({ key, score: team.length, id: ctx.id() }));
  ctx.send(review({ key }));
  ctx.after("1ms", risks.scored({ key, score: -1, id: "timer" }));
  ctx.sql`INSERT INTO ran(key, n, attempt, thread) VALUES (${key}, ${n}, ${ctx.attempt}, ${threadId})`;
};

// The module's default export is the handler: that is what `isolate` asks for.
export default score;
