import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { isFailure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, gate, type Trial, trial } from "../testing/trial.js";
import { empty, fill, freeDisks, smallDisk, unmountDisks } from "../testing/trial-disk.js";

afterEach(async () => {
  freeDisks();
  await endTrials();
  unmountDisks();
});

const Step = z.object({ key: z.string(), note: z.string() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", { key: "key", events: { heard: event("echo.heard", Step) } });
const counts = documents("counts", z.object({ key: z.string(), n: z.int() }), { id: "key" });
const note = "x".repeat(2_000);

/** What a promise came to, while virtual time passes. */
async function outcome(t: Trial, asked: Promise<unknown>): Promise<"stored" | string> {
  let came: string | undefined;
  asked.then(
    () => {
      came = "stored";
    },
    (error: unknown) => {
      came = isFailure(error) ? error.code : String(error);
    },
  );
  await t.until(() => came !== undefined);
  return came as string;
}

it("a full disk refuses what comes, loses nothing, can be read, and works on by itself when there is space again", async (context) => {
  const dir = smallDisk(context);
  const runs: string[] = [];
  const go = gate();
  const counting = service("counting").on(steps.taken, { emits: [echoes.heard] }, async ({ data }, ctx) => {
    runs.push(data.key);
    const before = (await ctx.documents(counts).get(data.key))?.n ?? 0;
    if (data.key.startsWith("late")) await go.opened;
    ctx.documents(counts).put({ key: data.key, n: before + 1 });
    ctx.publish(echoes.heard({ ...data, note }));
  });
  const t = await trial([counting], { dir });
  await t.app.publish(steps.taken({ key: "early", note }));
  await t.rest();
  await t.app.publish(["late-1", "late-2"].map((key) => steps.taken({ key, note })));
  await t.until(() => runs.length === 3);

  fill(dir);
  const acknowledged: string[] = [];
  // The write-ahead log may have room left for a few.
  for (let n = 0; ; n += 1) {
    const came = await outcome(t, t.app.publish(steps.taken({ key: `full-${n}`, note })));
    if (came !== "stored") {
      expect(came).toBe("STORE_FULL");
      break;
    }
    acknowledged.push(`full-${n}`);
    fill(dir);
  }
  go.open();
  await t.clock.advance(10 * 60_000);
  expect(await t.app.documents(counts).get("early")).toEqual({ key: "early", n: 1 });
  expect((await t.running.engine.inspect.events({ key: "early", limit: 9 })).events).toHaveLength(2);
  expect(await t.app.documents(counts).get("late-1")).toBeUndefined();
  expect(t.status("counting").state).toBe("running");
  expect(t.lines.some((line) => line.level === "error" && line.fields.code === "STORE_FULL")).toBe(true);

  empty(dir);
  await t.rest();
  expect(await outcome(t, t.app.publish(steps.taken({ key: "after", note })))).toBe("stored");
  await t.rest();
  const keys = ["early", "late-1", "late-2", ...acknowledged, "after"];
  for (const key of keys) expect(await t.app.documents(counts).get(key)).toEqual({ key, n: 1 });
  const echoed = (await t.running.engine.inspect.events({ type: "echo.heard", limit: 1_000 })).events;
  expect(echoed.map((record) => record.key).sort()).toEqual([...keys].sort());
  expect(await t.entries()).toEqual([]);
  const again = await t.again([counting]);
  await again.rest();
  expect(await again.app.documents(counts).get("after")).toEqual({ key: "after", n: 1 });
});

it("a disk that is full when a document type is first used charges no event for it", async (context) => {
  const dir = smallDisk(context);
  const attempts: number[] = [];
  let filled = false;
  const counting = service("counting").on(steps.taken, { retry: { attemptsMax: 2 } }, ({ data }, ctx) => {
    attempts.push(ctx.attempt);
    if (!filled) fill(dir);
    filled = true;
    ctx.documents(counts).put({ key: data.key, n: 1 });
  });
  const t = await trial([counting], { dir });
  await t.app.publish(steps.taken({ key: "a", note }));
  await t.until(() => attempts.length > 0);
  await t.clock.advance(60 * 60_000);
  empty(dir);
  await t.rest();
  expect(await t.app.documents(counts).get("a")).toEqual({ key: "a", n: 1 });
  expect(await t.entries()).toEqual([]);
});

it("an app stops in order on a full disk, and the next one goes on", async (context) => {
  const dir = smallDisk(context);
  const counting = service("counting").on(steps.taken, ({ data }, ctx) =>
    ctx.documents(counts).put({ key: data.key, n: 1 }),
  );
  const t = await trial([counting], { dir });
  await t.app.publish(steps.taken({ key: "a", note }));
  await t.rest();
  fill(dir);
  await outcome(t, t.app.publish(steps.taken({ key: "b", note })));
  await t.stop();
  empty(dir);
  const again = await t.again([counting]);
  await again.rest();
  expect(await again.app.documents(counts).get("a")).toEqual({ key: "a", n: 1 });
});
