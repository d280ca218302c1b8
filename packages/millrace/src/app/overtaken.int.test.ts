import { Admin } from "@platformatic/kafka";
import pg from "pg";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import type { Engine } from "../engine/engine.js";
import { dropOld } from "../postgres/log-retention.js";
import { endTrials, type Gate, gate } from "../testing/trial.js";
import { dropPlaces, engineAt, type TrialPlace, trialGrounds } from "../testing/trial-place.js";
import { endRealTrials, type RealTrial, realTrial } from "../testing/trial-real.js";
import { counts, sharedWork, steps } from "../testing/trial-shared-work.js";

const grounds = await trialGrounds();
afterEach(async () => {
  await endRealTrials();
  await endTrials();
});
afterAll(dropPlaces);
vi.setConfig({ testTimeout: 90_000 });
const soon = { timeout: 20_000 };
type Place = TrialPlace & { readonly postgres: string };

/** The engine of a process that is slow to read "steps": not before the gate opens. */
function slowly(engine: Engine, { opened }: Gate): Engine {
  return {
    ...engine,
    async open(context) {
      const open = await engine.open(context);
      const { log } = open;
      const read: typeof log.read = async (request) => {
        if (request.topic === "steps") await opened;
        return log.read(request);
      };
      return Object.assign(open, { log: { ...log, read } });
    },
  };
}

/** All that "steps" has is too old now, and nobody has said for a month that it needs any of it. */
async function retain(place: Place): Promise<void> {
  if (place.kafka === undefined) {
    const pool = new pg.Pool({ connectionString: place.postgres });
    await pool.query(`UPDATE millracelog.mr_log_topics SET retention_ms = 0;
      UPDATE millracelog.mr_log_notes SET noted = now() - interval '31 days'; SELECT pg_sleep(0.01)`);
    expect(await dropOld(pool, "millracelog")).toBeGreaterThan(0);
    await pool.end();
    return;
  }
  const admin = new Admin({ clientId: "retention", bootstrapBrokers: place.kafka.split(",") });
  const partitions = Array.from({ length: 8 }, (_, partition) => ({ partition, offset: -1n }));
  await admin.deleteRecords({ topics: [{ name: `${place.prefix}steps`, partitions }] });
  await admin.close();
}

async function publish({ app, running }: RealTrial, from: number, to: number): Promise<void> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + index);
  await app.publish(numbers.map((n) => steps.taken({ key: `k-${n % 4}`, n })));
  await vi.waitFor(async () => {
    const ends = await running.engine.log.ends("steps");
    expect(ends.reduce((sum, end) => sum + end, 0)).toBe(to);
  }, soon);
}

if (grounds.length === 0) console.info("skipped: no servers");
describe.each(grounds)("a consumer that runs on $name and is overtaken by retention", ({ fresh }) => {
  it("stops and says so, and handles none of what comes after the gap; forgotten, it begins anew", async () => {
    const place = await fresh();
    const late = gate();
    const t = await realTrial({ engine: slowly(engineAt(place), late), services: sharedWork() });
    await publish(t, 0, 20);
    await retain(place);
    await publish(t, 20, 30);
    late.open();
    for (const consumer of ["counting", "echoing"]) {
      await vi.waitFor(() => expect(t.failureOf(consumer)).toBe("POSITION_MISSING"), soon);
      const said = t.lines.find(({ message }) => message.startsWith(`${consumer} stopped`));
      expect(said?.message).toMatch(/offset \d+ is not there any more: .*Nothing was skipped/);
    }
    const counted = () => Promise.all([0, 1, 2, 3].map((key) => t.app.documents(counts).get(`k-${key}`)));
    expect(await counted()).toEqual([undefined, undefined, undefined, undefined]);
    await expect(t.app.settled()).rejects.toMatchObject({ code: "POSITION_MISSING" });

    // The way out that the message names: an operator accepts the loss.
    const act = { actor: "ann", reason: "they are gone", at: Date.now() };
    for (const consumer of ["counting", "echoing"]) await t.running.engine.operate.forget(consumer, act);
    await t.stop();
    const again = await realTrial({ engine: engineAt(place), services: sharedWork() });
    await again.app.settled();
    const found = await Promise.all([0, 1, 2, 3].map((key) => again.app.documents(counts).get(`k-${key}`)));
    const numbers = found.flatMap((one) => one?.numbers ?? []).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 10 }, (_, n) => 20 + n));
  });
});
