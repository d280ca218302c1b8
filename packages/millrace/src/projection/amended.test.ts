import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import { adminOf, inTime } from "../testing/trial-saga.js";
import { projection } from "./projection.js";

afterEach(endTrials);

const Added = z.object({ id: z.string(), n: z.int() });
const steps = topic("steps", { key: "id", partitions: 4, events: { added: event("step.added", Added) } });
const sums = (version: number, unlucky = -1) =>
  projection("sums", { version, row: z.object({ sum: z.int() }) }).on(steps.added, (row, { data }) => {
    if (data.n === unlucky) throw new Failure("EVENT_REJECTED", "unlucky");
    return { sum: (row?.sum ?? 0) + data.n };
  });
const services = (...views: readonly ReturnType<typeof sums>[]) => [
  service("owner").owns(steps),
  service("views").owns(...views),
];
const why = { actor: "ann", reason: "a test" };
const add = (id: number, n: number) => steps.added({ id: `k-${id}`, n });
const verified = (t: Trial, name: string) => inTime(t, adminOf(t).verifyProjection({ projection: name }));

it("answers a token through a swap: with what it stands for, whichever build answers when it has come there", async () => {
  const [one, two] = [sums(1), sums(2)];
  const t = await trial(services(one, two));
  await t.app.publish(Array.from({ length: 500 }, (_, n) => add(n % 20, 1)));
  await t.rest();
  const { token } = await t.app.publish(add(1, 1_000));
  const asked = inTime(t, t.app.projection(one).get("k-1", { after: token, wait: "30s" }));
  await inTime(t, adminOf(t).swapProjection({ ...why, projection: "sums", waitMs: 30_000 }));
  expect(await asked).toEqual({ sum: 1_025 });
  expect(await inTime(t, t.app.projection(two).get("k-1", { after: token }))).toEqual({ sum: 1_025 });
  await inTime(t, adminOf(t).dropProjection({ ...why, projection: "sums@1" }));
  expect(await inTime(t, t.app.projection(two).get("k-1", { after: token }))).toEqual({ sum: 1_025 });
});

it("answers a token with the build that answers, when that was swapped in meanwhile and is not as far as the one before", async () => {
  const [one, two] = [sums(1), sums(2)];
  const t = await trial(services(one, two));
  await t.app.publish(add(1, 1));
  await t.rest();
  const admin = adminOf(t);
  for (const consumer of ["views.sums@1", "views.sums@2"]) await admin.pause({ ...why, consumer });
  const { token } = await t.app.publish(add(1, 1_000));
  const asked = t.app.projection(one).get("k-1", { after: token, wait: "30s" });
  asked.catch(() => undefined);
  await inTime(t, admin.swapProjection({ ...why, projection: "sums" }));
  await admin.resume({ ...why, consumer: "views.sums@1" });
  const before = async () => (await t.running.engine.store.readDocument("views", "sums@1", "k-1"))?.text;
  await t.until(async () => (await before())?.includes("1001"));
  await t.clock.advance(100);
  await admin.resume({ ...why, consumer: "views.sums@2" });
  expect(await inTime(t, asked)).toEqual({ sum: 1_001 });
});

it("makes the same rows once more of a log with dead letters, skips and edits in it, folded in bulk", async () => {
  const t = await trial(services(sums(1, 13)), { dir: tempFolder() });
  await t.app.publish(Array.from({ length: 2_000 }, (_, n) => add(n % 50, n % 100 === 13 ? 13 : 1)));
  await t.rest();
  const dead = (await t.entries("views.sums@1")).filter(({ state }) => state === "dead");
  expect(dead.length).toBeGreaterThan(0);
  const admin = adminOf(t);
  for (const [at, { entry, record }] of dead.entries()) {
    if (at % 3 === 0) await admin.skip({ ...why, entries: [entry] });
    if (at % 3 !== 1) continue;
    await admin.edit({ ...why, entry, data: { ...(record.data as object), n: 7 } });
    await admin.redrive({ ...why, entries: [entry] });
  }
  await t.rest();
  const live = await verified(t, "sums");
  expect(live).toMatchObject({ equal: true });
  await admin.rebuildProjection({ ...why, projection: "sums" });
  await t.rest();
  expect(await verified(t, "sums@1.2")).toMatchObject({ equal: true, storedChecksum: live.storedChecksum });
  const again = await t.again(services(sums(1, 13)));
  await again.rest();
  expect(await verified(again, "sums@1.2")).toMatchObject({ equal: true, storedChecksum: live.storedChecksum });
});

it("refuses to move a projection back over events that its rows hold, and says what to do instead", async () => {
  const t = await trial(services(sums(1)), { dir: tempFolder() });
  await t.app.publish(Array.from({ length: 40 }, (_, n) => add(n % 4, 1)));
  await t.rest();
  for (const to of [{ type: "beginning" }, { type: "end" }] as const)
    for (const dryRun of [true, false])
      await expect(inTime(t, adminOf(t).seek({ ...why, consumer: "views.sums@1", to, dryRun }))).rejects.toMatchObject({
        code: "CONFLICT",
        message: expect.stringMatching(/is a projection and cannot be moved.*millrace projections rebuild sums@1/),
      });
  expect(await verified(t, "sums")).toMatchObject({ equal: true });
});
