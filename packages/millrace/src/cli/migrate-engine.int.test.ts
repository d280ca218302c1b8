import { afterAll, describe, expect, it } from "vitest";
import { embedded } from "../embedded/embedded.js";
import { engineFromEnv } from "../main/engine-from-env.js";
import { systemClock } from "../runtime/clock.js";
import { silentLogger } from "../runtime/logger.js";
import { systemRandom } from "../runtime/random.js";
import { letters } from "../testing/conformance/operators-scene.js";
import { checkedConsumer, checkedService, checkedTopic } from "../testing/conformance/units.js";
import { trialDatabase } from "../testing/trial-database.js";
import { Trial } from "./trial.js";

const database = await trialDatabase();
const context = { clock: systemClock, random: systemRandom, logger: silentLogger };
const move = ["migrate-engine", "--from", "embedded", "--no-input"];

if (database === undefined) console.info("skipped: millrace migrate-engine, there is no PostgreSQL");
describe.skipIf(database === undefined)("millrace migrate-engine", () => {
  afterAll(() => database?.drop());

  it("says what there is to move, moves it, and the app's environment then names an engine that has it", async () => {
    const trial = new Trial();
    const on = await embedded(trial.dir).open(context);
    await on.log.ensureTopic({
      name: checkedTopic,
      partitions: 2,
      owner: checkedService,
      key: "k",
      retentionMs: undefined,
    });
    const { log, store, inspect, operate } = on;
    await letters({ log, store, inspect, operate, close: async () => {} }, ["a", "b"]);
    await on.close();
    const env = { MILLRACE_STORE: `${database?.url}?pool=4` };
    const run = (...args: string[]) => trial.runWith({ env }, ...move, "--dir", trial.dir, ...args);

    const wrong = await run("--to", "kafka+postgres");
    expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("MILLRACE_LOG=kafka://")]);
    const dry = await run("--to", "postgres", "--dry-run");
    expect([dry.code, dry.stdout]).toEqual([
      0,
      expect.stringContaining(`topic ${checkedTopic}: 2 events in 2 partitions`),
    ]);
    const moved = await run("--to", "postgres");
    expect([moved.code, moved.stdout]).toEqual([0, expect.stringContaining("2 events, the same on both sides")]);

    const next = await engineFromEnv(env).open(context);
    expect((await next.inspect.events({ limit: 10 })).events.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(await next.inspect.consumers(0)).toMatchObject([{ consumer: checkedConsumer, dead: 2, lagRecords: 0 }]);
    await next.close();
    await trial.remove();
  });
});
