import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { endTrials, gate } from "../testing/trial.js";
import { dropPlaces, engineAt, trialGrounds } from "../testing/trial-place.js";
import { endRealTrials, type RealTrial, realTrial } from "../testing/trial-real.js";
import { counts, loggedIn, sharedWork, steps } from "../testing/trial-shared-work.js";

const grounds = await trialGrounds();
afterEach(async () => {
  await endRealTrials();
  await endTrials();
});
afterAll(dropPlaces);

const keys = Array.from({ length: 12 }, (_, n) => `k${n}`);
const soon = { timeout: 30_000 };
const partitions = (t: RealTrial) =>
  t.running.consumers().find(({ consumer }) => consumer === "counting")?.partitions ?? 0;
const round = (n: number) => keys.map((key, index) => steps.taken({ key, n: n * keys.length + index }));

/** Every event was handled once, and those of a key in the order of the log. */
async function expectOnceInOrder(t: RealTrial, published: number): Promise<void> {
  const counted = async () =>
    await Promise.all(keys.map(async (key) => (await t.app.documents(counts).get(key))?.numbers ?? []));
  await vi.waitFor(async () => expect((await counted()).flat().length).toBeGreaterThanOrEqual(published), soon);
  const logged = await loggedIn(t.running, "steps");
  expect(await counted()).toEqual(keys.map((key) => logged.filter((one) => one.key === key).map(({ n }) => n)));
  const echoed = async () => (await loggedIn(t.running, "echoes")).map(({ n }) => n).sort((a, b) => a - b);
  const numbers = Array.from({ length: published }, (_, n) => n);
  await vi.waitFor(async () => expect(await echoed()).toEqual(numbers), soon);
}

if (grounds.length === 0) console.info("skipped: no PostgreSQL");
describe.each(grounds)("on $name, a process that comes while handlers of another", ({ fresh }) => {
  it.each([
    ["have just begun", "begun"],
    ["have read what they change", "read"],
    ["have asked for their effects", "written"],
  ])(
    "%s waits for them, and nothing runs twice, is lost or overtaken",
    async (_, at) => {
      const place = await fresh();
      const opened = gate();
      const standing: number[] = [];
      const begun: number[] = [];
      const during = async (n: number, point: string) => {
        if (point === "begun") begun.push(n);
        if (point !== at || n >= keys.length) return;
        standing.push(n);
        await opened.opened;
      };
      const first = await realTrial({ engine: engineAt(place), services: sharedWork(during) });
      expect(partitions(first)).toBe(8);
      await first.app.publish(round(0));
      await vi.waitFor(() => expect(standing.length).toBe(keys.length), soon);
      const second = await realTrial({ engine: engineAt(place), services: sharedWork() });
      await first.app.publish(round(1));
      // It begins nothing more in what it is to give up.
      await vi.waitFor(() => expect(partitions(first)).toBe(4), soon);
      expect(partitions(second)).toBe(0);
      opened.open();
      await vi.waitFor(() => expect([partitions(first), partitions(second)]).toEqual([4, 4]), soon);
      await second.app.publish(round(2));
      await expectOnceInOrder(second, 3 * keys.length);
      expect(begun.filter((n) => n < keys.length).length).toBe(keys.length);
    },
    90_000,
  );
});
