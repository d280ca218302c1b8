import { afterAll, afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { trialDatabase } from "../testing/trial-database.js";
import { engineAt } from "../testing/trial-place.js";
import { endRealTrials, realTrial } from "../testing/trial-real.js";
import { trialServers } from "../testing/trial-services.js";

const servers = await trialServers("kafka/1", "own");
const [broker] = servers?.machines ?? [];
const database = await trialDatabase();
afterEach(async () => {
  await endRealTrials();
  await endTrials();
});
afterAll(async () => {
  await servers?.close();
  await database?.drop();
});

const notes = topic("notes", {
  key: "key",
  partitions: 2,
  events: { taken: event("note.taken", z.object({ key: z.string() })) },
});

const there = broker !== undefined && database !== undefined;
if (!there) console.info("skipped: no PostgreSQL, or no Kafka that may be disturbed");
describe.skipIf(!there)("what is wrong", () => {
  it("is told within seconds while the log does not answer: that it is away, and what PostgreSQL says", async () => {
    const disturb = (act: "pause" | "resume") => servers?.disturb(broker as string, act);
    const place = { dir: tempFolder(), postgres: database?.url ?? "", kafka: servers?.address ?? "", prefix: "away." };
    const taking = service("taking").on(notes.taken, { from: "beginning" }, () => {});
    const { app, running } = await realTrial({
      engine: engineAt(place),
      services: [service("writing").owns(notes), taking],
    });
    await app.publish(notes.taken({ key: "a" }));
    await app.settled();
    await disturb("pause");
    const began = performance.now();
    const findings = await running.engine.inspect.doctor();
    expect(performance.now() - began).toBeLessThan(8_000);
    expect(findings.filter(({ ok }) => !ok)).toEqual([
      { check: "log", ok: false, detail: expect.stringMatching(/does not answer within 4 s.* outbox$/) },
      { check: "positions", ok: false, detail: expect.stringContaining("as it does not answer") },
    ]);
    expect(findings.map(({ check }) => check)).toContain("dead-letters");
    await disturb("resume");
  }, 60_000);
});
