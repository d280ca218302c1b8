import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Core } from "../embedded/core.js";
import { embedded } from "../embedded/embedded.js";
import { prepareFile } from "../embedded/format.js";
import { type Database, openDatabase } from "../embedded/sqlite.js";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import { service } from "../service/declare.js";
import { storeConformance } from "./conformance/store.js";
import { newRecord, unitOf } from "./conformance/units.js";
import { type FaultName, faultNames, plant } from "./faults.js";
import { endTrials, otherProgram, tempFolder, trial } from "./trial.js";
import { virtualClock } from "./virtual-clock.js";

afterEach(endTrials);

const checked = { name: "conformance", partitions: 2, owner: "checking", key: "k", retentionMs: undefined };

async function openStore() {
  const dir = tempFolder();
  const open = () => embedded(dir).open({ clock: virtualClock(), random: seededRandom(1), logger: silentLogger });
  let engine = await open();
  await engine.log.ensureTopic(checked);
  await engine.log.ensureTopic({ ...checked, name: "conformance-streams", streams: true });
  return {
    get store() {
      return engine.store;
    },
    async published() {
      const { records } = await engine.log.read({
        topic: checked.name,
        from: [0, 0],
        recordsMax: 1_000,
        bytesMax: 1e9,
      });
      return records.map((record) => record.id);
    },
    async reopen() {
      await engine.close();
      engine = await open();
    },
    close: () => engine.close(),
  };
}

/** The first promise of the store port that is broken now. */
async function brokenPromise(): Promise<string | undefined> {
  for (const { name, run } of storeConformance(openStore)) {
    const broken = await run().then(
      () => false,
      () => true,
    );
    if (broken) return name;
  }
  return undefined;
}

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Step) } });

/** What publishing does in a process whose file another one has taken over. */
async function publishFenced(): Promise<string> {
  const dir = tempFolder();
  const t = await trial([service("owner").owns(steps)], { dir });
  otherProgram(dir, (database) => database.exec("UPDATE mr_engine SET epoch = epoch + 1"));
  return await t.app.publish(steps.taken({ key: "a", n: 1 })).then(
    () => "stored",
    (error: { code: string }) => error.code,
  );
}

/** How often an event is in the log whose publish was sent again, as its answer was lost with the owner that stored it. */
async function publishResent(): Promise<number> {
  const database = openDatabase(":memory:");
  const context = { clock: virtualClock(), random: seededRandom(1), logger: silentLogger };
  const prepared = prepareFile(database, ":memory:", 0);
  const core = new Core({ file: ":memory:", database, reader: database, prepared, context });
  const door = core.door("member");
  await door.log.ensureTopic(checked);
  const record = newRecord("018bcfe5-6800-7000-8000-000000000001", { named: false });
  const unit = unitOf({ type: "publish" }, { records: [record] });
  await door.writes.commit([unit], []);
  door.recommit([unit], []);
  await core.close();
  return core.topics.get(checked.name).end;
}

/** What is on disk of an event that runs when a third process dies of it, once its life is over. */
async function runThirdTime(): Promise<unknown> {
  const dir = tempFolder();
  const clock = virtualClock();
  const services = () => [
    service("owner").owns(steps),
    service("stepping").on(steps.taken, { timeout: "10m" }, () => new Promise<void>(() => {})),
  ];
  for (let life = 1; ; life += 1) {
    const t = await trial(services(), { dir, clock });
    if (life === 1) await t.app.publish(steps.taken({ key: "a", n: 1 }));
    await clock.advance(1_000);
    const entries = await t.entries();
    await t.stop();
    if (life === 3) return entries.map(({ state, failure }) => `${state} ${failure?.crashes}`);
    // As a killed process leaves its leases.
    const crashed = (database: Database) =>
      database.prepare("UPDATE mr_positions SET owner = 'dead', crashes = ?").run(life - 1);
    otherProgram(dir, crashed);
  }
}

/** Who notices that a guard is off, where it is not the conformance suite of the store. */
const others: Partial<Record<FaultName, () => Promise<unknown>>> = {
  fence: publishFenced,
  resent: publishResent,
  attempt: runThirdTime,
};

describe("a guard of the embedded engine that is turned off", () => {
  it.each(faultNames)("is noticed: %s", async (name) => {
    const look = others[name] ?? brokenPromise;
    const undo = plant(name);
    const found = await look().finally(undo);
    console.info(`${name} off: ${found}`);
    expect(found).not.toEqual(await look());
  });
});
