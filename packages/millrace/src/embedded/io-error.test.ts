import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { type Undo, watchConnections } from "../testing/faults-connections.js";
import { endTrials, gate, tempFolder, trial } from "../testing/trial.js";

let undo: Undo = () => {};
afterEach(async () => {
  undo();
  await endTrials();
});

const Step = z.object({ key: z.string() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Step) } });
const counts = documents("counts", z.object({ key: z.string(), n: z.int() }), { id: "key" });

it("a flush that fails refuses what comes, loses nothing, can be read, and works on by itself when the disk does", async () => {
  let broken = false;
  undo = watchConnections({
    exec(sql, exec) {
      // As SQLite reports a failed fdatasync of a commit: extended code IOERR_FSYNC.
      if (broken && sql === "COMMIT") throw Object.assign(new Error("disk I/O error"), { errcode: 10 | (4 << 8) });
      exec(sql);
    },
  });
  const go = gate();
  const runs: string[] = [];
  const counting = service("counting").on(steps.taken, async ({ data: { key } }, ctx) => {
    runs.push(key);
    const before = (await ctx.documents(counts).get(key))?.n ?? 0;
    if (key === "late") await go.opened;
    ctx.documents(counts).put({ key, n: before + 1 });
  });
  const t = await trial([counting], { dir: tempFolder() });
  await t.app.publish(steps.taken({ key: "early" }));
  await t.rest();
  await t.app.publish(steps.taken({ key: "late" }));
  await t.until(() => runs.length === 2);

  broken = true;
  const refused = t.app.publish(steps.taken({ key: "refused" })).catch((error: unknown) => error);
  await t.clock.advance(1_000);
  expect(isFailure(await refused, "STORE_UNAVAILABLE")).toBe(true);
  go.open();
  await t.clock.advance(10 * 60_000);
  expect(await t.app.documents(counts).get("early")).toEqual({ key: "early", n: 1 });
  expect(await t.app.documents(counts).get("late")).toBeUndefined();
  expect((await t.running.engine.inspect.events({ key: "late", limit: 9 })).events).toHaveLength(1);
  expect(t.status("counting").state).toBe("running");

  broken = false;
  await t.rest();
  await t.app.publish(steps.taken({ key: "after" }));
  await t.rest();
  for (const key of ["early", "late", "after"]) expect(await t.app.documents(counts).get(key)).toEqual({ key, n: 1 });
  // What its handler did is sent again; the handler is not run again.
  expect(runs).toEqual(["early", "late", "after"]);
  expect((await t.running.engine.inspect.events({ key: "refused", limit: 9 })).events).toEqual([]);
  expect(await t.entries()).toEqual([]);
});
