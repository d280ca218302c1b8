import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Step) } });
const counts = documents("counts", z.object({ key: z.string(), n: z.int() }), { id: "key" });

const counting = (name = "counting") =>
  service(name).on(steps.taken, async ({ data }, ctx) => {
    const before = (await ctx.documents(counts).get(data.key))?.n ?? 0;
    ctx.documents(counts).put({ key: data.key, n: before + 1 });
  });
const count = async (t: Trial, key: string) => (await t.app.documents(counts).get(key))?.n ?? 0;
const take = (key: string, n = 0) => steps.taken({ key, n });

describe("a group commit", () => {
  it("remembers nothing of a group that was undone for one unit's sake", async () => {
    const careless = service("careless").on(steps.taken, { retry: { attemptsMax: 1 } }, async ({ data }, ctx) => {
      const before = (await ctx.documents(counts).get("shared"))?.n ?? 0;
      if (data.key === "bad") {
        ctx.documents(counts).put({ key: "shared", n: 1_000 });
        ctx.sql`INSERT INTO nowhere VALUES (1)`;
      } else ctx.documents(counts).put({ key: "shared", n: before + 1 });
    });
    const t = await trial([careless], { dir: tempFolder() });
    for (let round = 0; round < 5; round += 1) {
      await t.app.publish(["bad", "a", "bad", "b"].map((key) => take(`${key}`)));
      await t.rest();
    }
    expect(await count(t, "shared")).toBe(10);
    const again = await t.again([careless]);
    expect(await count(again, "shared")).toBe(10);
    expect((await again.running.engine.inspect.events({ limit: 99 })).events).toHaveLength(20);
  });

  it("stores nothing when another program has taken the file over, and everything of this one stops", async () => {
    const dir = tempFolder();
    const t = await trial([counting()], { dir });
    await t.app.publish(take("a"));
    await t.rest();
    otherProgram(dir, (database) => database.exec("UPDATE mr_engine SET epoch = epoch + 1"));
    await expect(t.app.publish(take("a"))).rejects.toMatchObject({
      code: "FENCED",
      message: expect.stringMatching(/another process/),
    });
    expect((await t.running.engine.inspect.events({ limit: 9 })).events).toHaveLength(1);
    await t.stop();
  });

  it("stores nothing when a position was taken over under it: its consumer stops, and its effects are not there", async () => {
    const dir = tempFolder();
    const t = await trial([counting()], { dir });
    await t.app.publish(take("a"));
    await t.rest();
    otherProgram(dir, (database) => database.exec("UPDATE mr_positions SET epoch = epoch + 1"));
    await t.app.publish(take("a"));
    await t.until(() => t.status("counting").state === "stopped");
    expect(t.status("counting").failure).toMatchObject({ code: "FENCED" });
    expect(await count(t, "a")).toBe(1);
    const again = await t.again([counting()]);
    await again.rest();
    expect(await count(again, "a")).toBe(2);
  });

  it("blames the file, not the events, when it contradicts itself", async () => {
    const dir = tempFolder();
    const t = await trial([counting()], { dir });
    await t.app.publish(take("a"));
    await t.rest();
    // A trace of a block that is not there: what the next block writes is taken.
    otherProgram(dir, (database) =>
      database.exec("INSERT OR IGNORE INTO mr_trace SELECT bucket, pos + 1 FROM mr_trace"),
    );
    await expect(t.app.publish(take("a"))).rejects.toMatchObject({
      code: "STORE_DAMAGED",
      message: expect.stringMatching(/contradicts itself.*doctor/),
    });
    expect(await t.entries()).toEqual([]);
  });

  it("does not make append times fall when the clock is set back", async () => {
    const t = await trial([counting()]);
    await t.app.publish(take("a"));
    t.clock.set(t.clock.now() - 3_600_000);
    await t.app.publish(take("a"));
    await t.rest();
    const { events } = await t.running.engine.inspect.events({ limit: 9 });
    expect(events[1]?.appended).toBeGreaterThanOrEqual(events[0]?.appended ?? Number.NaN);
    expect(events[1]?.time).toBeLessThan(events[0]?.time ?? Number.NaN);
  });

  it("handles events that were left behind in the log of a program that was never told of them", async () => {
    const dir = tempFolder();
    const t = await trial([counting()], { dir });
    await t.app.publish(Array.from({ length: 2_000 }, (_, n) => take(`k${n % 10}`, n)));
    await t.stop();
    const again = await t.again([counting()]);
    await again.rest();
    for (let key = 0; key < 10; key += 1) expect(await count(again, `k${key}`)).toBe(200);
  });
});
