import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import type { Admin } from "../admin/admin.js";
import { localAdmin } from "../admin/local.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import { projection } from "./projection.js";
import { sqlProjection } from "./sql.js";

const steps = topic("steps", {
  key: "id",
  partitions: 4,
  retention: "forever",
  events: { added: event("step.added", z.object({ id: z.string(), n: z.int() })) },
});
const sums = projection("sums", { version: 1, row: z.object({ sum: z.int() }), indexes: ["sum"] }).on(
  steps.added,
  (row = { sum: 0 }, { data }) => ({ sum: row.sum + data.n }),
);
const tally = sqlProjection("tally", { version: 1, tables: { steps: "(id TEXT PRIMARY KEY, n INTEGER)" } }).on(
  steps.added,
  ({ data }, { sql, tables }) =>
    sql`INSERT INTO ${tables.steps} VALUES (${data.id}, 1) ON CONFLICT (id) DO UPDATE SET n = n + 1`,
);
const owner = () => service("owner").owns(steps);
const withViews = () => [owner(), service("views").owns(sums, tally)];
const without = () => [owner(), service("views")];
const added = () => Array.from({ length: 300 }, (_, n) => steps.added({ id: `k-${n % 50}`, n: 1 }));
const why = { actor: "ann", reason: "a test" };

afterEach(endTrials);

function adminOf(t: Trial): Admin {
  const now = () => t.clock.now();
  const stopping = new AbortController().signal;
  const live = { app: t.app, running: t.running };
  return localAdmin({ inspect: t.running.engine.inspect, dir: undefined, now, stopping, live });
}

/** Both views answer what a fresh fold of the log does: each key was added six times. */
async function expectRight(t: Trial, times = 6): Promise<void> {
  await t.rest();
  expect((await t.app.projection(sums).find({ sum: times }, { limit: 100 })).rows).toHaveLength(50);
  expect(await t.app.projection(sums).count()).toBe(50);
  const rows = await t.app.query`SELECT id, n FROM ${tally.tables.steps} WHERE n = ${times}`;
  expect(rows).toHaveLength(50);
  let done = false;
  const verified = adminOf(t)
    .verifyProjection({ projection: "sums" })
    .finally(() => {
      done = true;
    });
  await t.until(() => done);
  expect(await verified).toMatchObject({ equal: true });
}

async function forget(t: Trial, ...consumers: readonly string[]): Promise<void> {
  for (const consumer of consumers) {
    const admin = adminOf(t);
    await expect(admin.forget({ ...why, consumer })).rejects.toMatchObject({ code: "CONFLICT" });
    expect(await admin.forget({ ...why, consumer, force: true })).toMatchObject({ changed: 1 });
  }
}

it("a projection that is forgotten by force is built anew at once, in rows of its own", async () => {
  const t = await trial(withViews(), { dir: tempFolder() });
  await t.app.publish(added());
  await expectRight(t);
  await forget(t, "views.sums@1", "views.tally@1");
  await expectRight(t);
  await t.app.publish(added());
  await expectRight(t, 12);
  const again = await t.again(withViews());
  await expectRight(again, 12);
  const { projections } = await adminOf(again).projections();
  expect(projections.map((one) => `${one.projection} ${one.state}`)).toEqual(["sums@1.2 live", "tally@1.2 live"]);
});

it("one that left the code and was forgotten is built from the beginning when it comes back", async () => {
  const first = await trial(withViews(), { dir: tempFolder() });
  await first.app.publish(added());
  await expectRight(first);
  const gone = await first.again(without());
  for (const consumer of ["views.sums@1", "views.tally@1"])
    expect(await adminOf(gone).forget({ ...why, consumer })).toMatchObject({ changed: 1 });
  expect((await adminOf(gone).projections()).projections).toEqual([]);
  await expectRight(await gone.again(withViews()));
});
