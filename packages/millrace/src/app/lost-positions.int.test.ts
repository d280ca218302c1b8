import { Admin } from "@platformatic/kafka";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { endTrials } from "../testing/trial.js";
import { dropPlaces, engineAt, type TrialPlace, trialGrounds } from "../testing/trial-place.js";
import { endRealTrials, type RealTrial, realTrial } from "../testing/trial-real.js";
import { counts, sharedWork, steps } from "../testing/trial-shared-work.js";

const grounds = (await trialGrounds()).filter(({ name }) => name === "kafka+postgres");
afterEach(async () => {
  await endRealTrials();
  await endTrials();
});
afterAll(dropPlaces);

const keys = ["a", "b", "c", "d"];

/** Of the log's own tools. */
async function administer<T>({ kafka = "" }: TrialPlace, work: (admin: Admin) => Promise<T>): Promise<T> {
  const admin = new Admin({ clientId: "operator", bootstrapBrokers: kafka.split(",") });
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}

const kafkaName = ({ prefix = "" }: TrialPlace) => `${prefix}steps`;
const start = (place: TrialPlace, ...run: readonly string[]) =>
  realTrial({ engine: engineAt(place), services: sharedWork(), ...(run.length === 0 ? {} : { run }) });
const publish = (t: RealTrial, from: number, to: number) =>
  t.app.publish(
    Array.from({ length: to - from }, (_, index) =>
      steps.taken({ key: keys[(from + index) % keys.length] as string, n: from + index }),
    ),
  );

/** All that was counted, however the keys stand. */
async function counted(t: RealTrial): Promise<readonly number[]> {
  const found = await Promise.all(keys.map((key) => t.app.documents(counts).get(key)));
  return found.flatMap((one) => one?.numbers ?? []).sort((a, b) => a - b);
}

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const soon = { timeout: 20_000 };

/** Handles the first twenty, and publishes twenty more that nobody handles yet. */
async function behind(place: TrialPlace): Promise<void> {
  const all = await start(place);
  await publish(all, 0, 20);
  await vi.waitFor(async () => expect(await counted(all)).toEqual(numbers(0, 20)), soon);
  await all.stop();
  const owner = await start(place, "owner");
  await publish(owner, 20, 40);
  await vi.waitFor(async () => {
    const ends = await owner.running.engine.log.ends("steps");
    expect(ends.reduce((sum, end) => sum + end, 0)).toBe(40);
  }, soon);
  await owner.stop();
}

/** It has stopped, says so, and has handled nothing since. */
async function expectStopped(t: RealTrial): Promise<void> {
  for (const consumer of ["counting", "echoing"]) {
    await vi.waitFor(() => expect(t.failureOf(consumer)).toBe("POSITION_MISSING"), soon);
    const said = t.lines.filter(({ level, message }) => level === "error" && message.startsWith(`${consumer} stopped`));
    expect(said.length).toBeGreaterThan(0);
  }
  expect(await counted(t)).toEqual(numbers(0, 20));
}

if (grounds.length === 0) console.info("skipped: no Kafka with PostgreSQL");
describe.each(grounds)("a consumer on $name", ({ fresh }) => {
  it("goes on where it was when its offsets are deleted in Kafka: they are a courtesy to other tools", async () => {
    const place = await fresh();
    await behind(place);
    await administer(place, async (admin) => {
      const groups = [...(await admin.listGroups()).keys()].filter((name) => name.startsWith(place.prefix ?? "?"));
      if (groups.length > 0) await admin.deleteGroups({ groups });
    });
    const t = await start(place);
    await vi.waitFor(async () => expect(await counted(t)).toEqual(numbers(0, 40)), soon);
    expect(t.failureOf("counting")).toBeUndefined();
  }, 90_000);

  it("stops and says so when events that it has not read are deleted, and skips none", async () => {
    const place = await fresh();
    await behind(place);
    const partitions = numbers(0, 8).map((partition) => ({ partition, offset: -1n }));
    await administer(place, (admin) => admin.deleteRecords({ topics: [{ name: kafkaName(place), partitions }] }));
    await expectStopped(await start(place));
  }, 90_000);

  it("stops and says so when its topic was deleted and made anew, and takes none of the new events for those it waits for", async () => {
    const place = await fresh();
    await behind(place);
    await administer(place, (admin) => admin.deleteTopics({ topics: [kafkaName(place)] }));
    // Its owner makes it when it starts, as soon as the name is free.
    const owner = await vi.waitFor(() => start(place, "owner"), soon);
    await publish(owner, 40, 60);
    await owner.stop();
    await expectStopped(await start(place));
  }, 90_000);

  it("is not started when its topic has another partition count than before: keys would change their partition", async () => {
    const place = await fresh();
    await behind(place);
    await administer(place, (admin) => admin.createPartitions({ topics: [{ name: kafkaName(place), count: 12 }] }));
    await expect(start(place)).rejects.toMatchObject({ code: "PARTITIONS_CHANGED" });
  }, 90_000);
});
