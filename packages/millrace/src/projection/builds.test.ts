import fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import type { Admin } from "../admin/admin.js";
import { localAdmin } from "../admin/local.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";
import { isOnServers, onlyHere } from "../testing/trial-servers.js";
import { projection } from "./projection.js";

const Added = z.object({ id: z.string(), n: z.int() });
const steps = topic("steps", {
  key: "id",
  partitions: 4,
  retention: "forever",
  events: { added: event("step.added", Added), cleared: event("step.cleared", z.object({ id: z.string() })) },
});
const Sum = z.object({ sum: z.int(), count: z.int() });
const sums = (version: number, factor = 1) =>
  projection("sums", { version, row: Sum, indexes: ["sum"] })
    .on(steps.added, (row = { sum: 0, count: 0 }, { data }) => {
      if (data.n === 13) throw new Failure("EVENT_REJECTED", "unlucky");
      return { sum: row.sum + factor * data.n, count: row.count + 1 };
    })
    .on(steps.cleared, () => undefined);
type Sums = ReturnType<typeof sums>;

const owner = () => service("owner").owns(steps);
const views = (...parts: readonly Sums[]) => service("views").owns(...parts);
const add = (id: number, n: number) => steps.added({ id: `k-${id}`, n });

afterEach(endTrials);
const itHere = onlyHere();
// Where each commit takes milliseconds, a few are enough.
const [numRuns, rounds] = isOnServers() ? [4, 8] : [30, 20];

function adminOf(t: Trial): Admin {
  const { inspect } = t.running.engine;
  const now = () => t.clock.now();
  return localAdmin({
    inspect,
    dir: undefined,
    now,
    stopping: new AbortController().signal,
    live: { app: t.app, running: t.running },
  });
}

/** What comes of a call while virtual time passes. */
async function done<T>(t: Trial, promise: Promise<T>): Promise<T> {
  let ended = false;
  promise.then(
    () => {
      ended = true;
    },
    () => {
      ended = true;
    },
  );
  await t.until(() => ended);
  return promise;
}

const why = { actor: "ann", reason: "a test" };
const states = async (t: Trial) =>
  (await adminOf(t).projections()).projections.map((one) => `${one.projection} ${one.state}`);
const verified = async (t: Trial, name = "sums") => done(t, adminOf(t).verifyProjection({ projection: name }));

it("builds a new version beside the live one, which answers until the swap, and after a swap back", async () => {
  const [one, two] = [sums(1), sums(2, 10)];
  const first = await trial([owner(), views(one)], { dir: tempFolder() });
  await first.app.publish(Array.from({ length: 300 }, (_, n) => add(n % 50, 1)));
  await first.rest();
  expect(await states(first)).toEqual(["sums@1 live"]);
  const t = await first.again([owner(), views(one, two)]);
  await t.app.publish(add(0, 1));
  await t.rest();
  expect(await states(t)).toEqual(["sums@1 live", "sums@2 building"]);
  expect(await t.app.projection(two).get("k-0")).toEqual({ sum: 7, count: 7 });
  const report = await done(t, adminOf(t).swapProjection({ ...why, projection: "sums" }));
  expect(report).toMatchObject({ changed: 1, consumer: "views.sums@2" });
  expect(await t.app.projection(two).get("k-0")).toEqual({ sum: 70, count: 7 });
  // Whoever repeats it, as the answer was lost, does not go back by that.
  await expect(done(t, adminOf(t).swapProjection({ ...why, projection: "sums" }))).rejects.toMatchObject({
    code: "NOT_FOUND",
    message: expect.stringContaining("no build of sums is building"),
  });
  await t.app.publish(add(0, 1));
  await t.rest();
  await done(t, adminOf(t).swapProjection({ ...why, projection: "sums@1" }));
  expect(await t.app.projection(one).get("k-0")).toEqual({ sum: 8, count: 8 });
  expect(await states(t)).toEqual(["sums@1 live", "sums@2 retired"]);
  const acts = (await adminOf(t).audit({ limit: 10 })).acts.map(({ act, target }) => `${act} ${target}`);
  expect(acts).toContain("swap projection views.sums@2 for sums@1");
});

it("refuses the swap to a build that is behind, or has dead letters of its own, and waits for it when told", async () => {
  const t = await trial([owner(), views(sums(1), sums(2))]);
  await t.rest();
  const admin = adminOf(t);
  await admin.pause({ ...why, consumer: "views.sums@2" });
  await t.app.publish([add(1, 1), add(2, 13)]);
  await t.rest().catch(() => undefined);
  await t.until(async () => (await t.entries("views.sums@1")).some(({ state }) => state === "dead"));
  const swap = (more: object = {}) => done(t, admin.swapProjection({ ...why, projection: "sums", ...more }));
  await expect(swap()).rejects.toMatchObject({ code: "CONFLICT", message: expect.stringMatching(/behind.*--wait/) });
  await expect(swap({ waitMs: 100 })).rejects.toMatchObject({ code: "CONFLICT" });
  const [dead] = await t.entries("views.sums@1");
  await admin.skip({ ...why, entries: [dead?.entry as number] });
  const waited = swap({ waitMs: 60_000 });
  await admin.resume({ ...why, consumer: "views.sums@2" });
  expect(await waited).toMatchObject({ changed: 1 });
  expect(
    await t.app
      .projection(sums(1))
      .get("k-1")
      .catch((error: Error) => error.message),
  ).toBeDefined();
});

itHere("builds the same version once more when its rows were damaged, and swaps that in", async () => {
  const view = sums(1);
  const dir = tempFolder();
  const before = await trial([owner(), views(view)], { dir });
  await before.app.publish(Array.from({ length: 500 }, (_, n) => add(n % 100, n % 7)));
  await before.rest();
  expect(await verified(before)).toMatchObject({ equal: true, rows: 100, differences: 0 });
  await before.stop();
  otherProgram(dir, (database) => {
    database.exec(`UPDATE mr_documents SET data = '{"sum":1,"count":1}' WHERE id = 'k-7'`);
    database.exec("DELETE FROM mr_documents WHERE id = 'k-8'");
  });
  const t = await trial([owner(), views(view)], { dir, clock: before.clock });
  const found = await verified(t);
  expect(found).toMatchObject({ equal: false, differences: 2 });
  expect(found.first.map(({ id }) => id).sort()).toEqual(["k-7", "k-8"]);
  expect(found.storedChecksum).not.toBe(found.foldedChecksum);
  await done(t, adminOf(t).rebuildProjection({ ...why, projection: "sums" }));
  await t.rest();
  expect(await states(t)).toEqual(["sums@1 live", "sums@1.2 building"]);
  expect((await done(t, adminOf(t).compareProjections({ projection: "sums" }))).first.map(({ id }) => id)).toEqual([
    "k-7",
    "k-8",
  ]);
  await expect(adminOf(t).rebuildProjection({ ...why, projection: "sums" })).rejects.toMatchObject({
    code: "CONFLICT",
  });
  await done(t, adminOf(t).swapProjection({ ...why, projection: "sums" }));
  expect(await verified(t)).toMatchObject({ equal: true, consumer: "views.sums@1.2" });
  const again = await t.again([owner(), views(view)]);
  await again.app.publish(add(7, 100));
  await again.rest();
  expect(await verified(again)).toMatchObject({ equal: true });
  expect(await again.app.projection(view).count()).toBe(100);
  await done(again, adminOf(again).dropProjection({ ...why, projection: "sums@1.1" }));
  expect(await states(again)).toEqual(["sums@1.2 live"]);
  await again.clock.advance(120_000);
  expect(otherProgram(dir, (db) => db.prepare("SELECT count(*) AS n FROM mr_documents").get())).toEqual({ n: 100 });
  await expect(adminOf(again).dropProjection({ ...why, projection: "sums" })).rejects.toMatchObject({
    code: "NOT_FOUND",
  });
});

itHere("names the event on which a fold that was changed without its version fails, when it verifies", async () => {
  const t = await trial([owner(), views(sums(1))], { dir: tempFolder() });
  await t.app.publish(add(1, 5));
  await t.rest();
  const changed = projection("sums", { version: 1, row: Sum, indexes: ["sum"] }).on(steps.added, () => {
    throw new Error("not today");
  });
  const again = await t.again([owner(), views(changed)]);
  await again.rest();
  await expect(verified(again)).rejects.toMatchObject({
    code: "CONFLICT",
    message: expect.stringMatching(
      /rows hold step\.added .* fold fails on it today: not today; has it changed without its version/,
    ),
  });
});

itHere("compares versions that differ in every row in a moment", async () => {
  const [one, other] = [sums(1), sums(2, 10)];
  const t = await trial([owner(), views(one, other)]);
  for (let from = 0; from < 3_000; from += 1_000)
    await t.app.publish(Array.from({ length: 1_000 }, (_, n) => add(from + n, from + n + 14)));
  await t.rest();
  const before = t.clock.now();
  const found = await done(t, adminOf(t).compareProjections({ projection: "sums" }));
  expect(found).toMatchObject({ rows: [3_000, 3_000], equal: 0, different: 3_000 });
  expect(t.clock.now() - before).toBeLessThan(1_000);
});

it("goes on with a build after a restart in its middle, and after a pause", async () => {
  const dir = tempFolder();
  const first = await trial([owner(), views(sums(1))], { dir });
  for (let n = 0; n < rounds; n += 1) await first.app.publish(Array.from({ length: 500 }, (_, i) => add(i, n % 7)));
  await first.rest();
  let t = await first.again([owner(), views(sums(1), sums(2))]);
  await t.until(async () =>
    (await adminOf(t).projections()).projections.some((one) => one.state === "building" && one.progress > 0),
  );
  t = await t.again([owner(), views(sums(1), sums(2))]);
  await adminOf(t).pause({ ...why, consumer: "views.sums@2" });
  const paused = (await adminOf(t).projections()).projections.find(({ version }) => version === 2);
  expect(paused?.paused).toContain("ann");
  t = await t.again([owner(), views(sums(1), sums(2))]);
  await adminOf(t).resume({ ...why, consumer: "views.sums@2" });
  await t.rest();
  await done(t, adminOf(t).swapProjection({ ...why, projection: "sums" }));
  expect(await verified(t)).toMatchObject({ equal: true, rows: 500, consumer: "views.sums@2" });
});

const stepArb = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant("add" as const), fc.nat(5), fc.constantFrom(1, 2, 3, 13)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("clear" as const), fc.nat(5), fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("rest" as const), fc.nat(5), fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom("skip" as const, "edit" as const), fc.nat(5), fc.constant(5)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant("rebuild" as const), fc.nat(5), fc.constant(0)) },
);
type Step = typeof stepArb extends fc.Arbitrary<infer T> ? T : never;

async function act(t: Trial, [verb, at, n]: Step): Promise<void> {
  const admin = adminOf(t);
  if (verb === "add") await t.app.publish(add(at, n));
  else if (verb === "clear") await t.app.publish(steps.cleared({ id: `k-${at}` }));
  else if (verb === "rest") await t.rest();
  else if (verb === "rebuild")
    await done(t, admin.rebuildProjection({ ...why, projection: "sums" })).catch(() => undefined);
  else {
    const dead = (await t.entries("views.sums@1")).filter(({ state }) => state === "dead");
    const letter = dead[at % Math.max(1, dead.length)];
    if (letter === undefined) return;
    if (verb === "skip") await admin.skip({ ...why, entries: [letter.entry] });
    else {
      const data = { ...(letter.record.data as object), n };
      await admin.edit({ ...why, entry: letter.entry, data });
      await admin.redrive({ ...why, entries: [letter.entry] });
    }
  }
}

it("equals the fold of the amended log, and a build from any moment equals it", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArb, { minLength: 5, maxLength: 40 }), async (script) => {
      const t = await trial([owner(), views(sums(1))]);
      for (const step of script) await act(t, step);
      await t.rest();
      expect(await verified(t)).toMatchObject({ equal: true, changed: 0 });
      await done(t, adminOf(t).rebuildProjection({ ...why, projection: "sums" })).catch(() => undefined);
      await t.rest();
      const building = (await states(t)).find((one) => one.endsWith("building"))?.split(" ")[0] as string;
      const [live, built] = [await verified(t), await verified(t, building)];
      expect(built).toMatchObject({ equal: true, storedChecksum: live.storedChecksum });
      await t.stop();
    }),
    { numRuns },
  );
});
