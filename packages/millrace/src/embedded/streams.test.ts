import { afterEach, describe, expect, it } from "vitest";
import type { NewRecord } from "../log/log.js";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import { newRecord } from "../testing/conformance/units.js";
import { endTrials, otherProgram, tempFolder } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { embedded } from "./embedded.js";

afterEach(endTrials);

const topic = { name: "things", partitions: 1, owner: "s", key: "k", retentionMs: undefined, streams: true };
const event = (key: string, sequence: number): NewRecord =>
  newRecord(`${key}-${sequence}`, { topic: "things", partition: 0, key, named: false, headers: { sequence } });

async function opened(dir: string) {
  const engine = await embedded(dir).open({ clock: virtualClock(), random: seededRandom(1), logger: silentLogger });
  await engine.log.ensureTopic(topic);
  const append = (key: string, version: number, count: number) => {
    const records = Array.from({ length: count }, (_, n) => event(key, version + n + 1));
    const stream = { topic: "things", key, version };
    return { claim: { type: "publish" as const }, reads: [], stream, lane: undefined, effects: { records } };
  };
  return { engine, append };
}

describe("streams of the embedded engine", () => {
  it("lie in small blocks, so that an event is read without many others, and are one log all the same", async () => {
    const dir = tempFolder();
    const { engine, append } = await opened(dir);
    await engine.store.commit([append("a", 0, 50), append("b", 0, 30)], []);
    const { records } = await engine.log.read({ topic: "things", from: [0], recordsMax: 999, bytesMax: 1e9 });
    expect(records.map(({ key, offset, headers }) => [key, offset, headers?.sequence])).toEqual(
      Array.from({ length: 80 }, (_, n) => (n < 50 ? ["a", n, n + 1] : ["b", n, n - 49])),
    );
    const b = await engine.store.readStream({ topic: "things", key: "b", after: 0, limit: 99 });
    expect(b.records.map(({ id }) => id)).toEqual(Array.from({ length: 30 }, (_, n) => `b-${n + 1}`));
    await engine.close();
    const counts = otherProgram(dir, (database) => database.prepare("SELECT count FROM mr_log ORDER BY pos").all());
    expect(counts).toEqual([{ count: 32 }, { count: 32 }, { count: 16 }]);
  });

  it("are read in pages that end early when events are large", async () => {
    const { engine, append } = await opened(tempFolder());
    const unit = append("a", 0, 40);
    const large = unit.effects.records.map((record) => ({ ...record, data: JSON.stringify("x".repeat(100_000)) }));
    await engine.store.commit([{ ...unit, effects: { records: large } }], []);
    const page = await engine.store.readStream({ topic: "things", key: "a", after: 0, limit: 40 });
    expect(page.version).toBe(40);
    expect(page.records.length).toBeGreaterThan(5);
    expect(page.records.length).toBeLessThan(20);
    await engine.close();
  });

  it.each([
    ["the event is another's", `UPDATE mr_log SET body = replace(body, '"a",', '"z",')`],
    ["the block is gone", "DELETE FROM mr_log"],
    ["its place in line is another", `UPDATE mr_stream_events SET offset = offset + 1 WHERE sequence = 1`],
  ])("are not made up when the file is damaged: %s", async (_, damage) => {
    const dir = tempFolder();
    const { engine, append } = await opened(dir);
    await engine.store.commit([append("a", 0, 3)], []);
    await engine.close();
    otherProgram(dir, (database) => database.exec(damage));
    const { engine: again } = await opened(dir);
    await expect(async () =>
      again.store.readStream({ topic: "things", key: "a", after: 0, limit: 9 }),
    ).rejects.toMatchObject({ code: "STORE_DAMAGED" });
    await again.close();
  });
});
