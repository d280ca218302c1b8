import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), n: z.int() });
const rolls = topic("rolls", { key: "key", events: { rolled: event("roll.rolled", shape) } });
const host = service("host").owns(rolls);

it("settled rejects when a consumer has stopped with events left, once the others have handled theirs", async () => {
  const handled: string[] = [];
  const failing = service("failing").on(rolls.rolled, () => {
    throw new Failure("OPTION_INVALID", "no such till");
  });
  const well = service("well").on(rolls.rolled, async ({ data }) => {
    await Promise.resolve();
    handled.push(data.key);
  });
  const t = await trial([host, failing, well]);
  await t.app.publish([rolls.rolled({ key: "a", n: 1 }), rolls.rolled({ key: "b", n: 1 })]);
  const error = (await t.rest().catch((reason: unknown) => reason)) as Failure;
  expect(error).toBeInstanceOf(Failure);
  expect(error).toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringMatching(/^settled: failing has stopped with events left.*no such till/),
    cause: { code: "OPTION_INVALID", message: "no such till" },
    details: { consumer: "failing" },
  });
  expect(handled).toEqual(["a", "b"]);
});

it("settled rejects when a consumer stopped before it came to its events", async () => {
  const dir = tempFolder();
  const hearing = service("hearing").on(rolls.rolled, () => {});
  const t = await trial([host, hearing], { dir });
  await t.app.publish(rolls.rolled({ key: "a", n: 1 }));
  await t.rest();
  await t.stop();
  otherProgram(dir, (database) => database.exec("DELETE FROM mr_positions WHERE consumer = 'hearing'"));
  const again = await trial([host, hearing], { dir, clock: t.clock });
  await expect(again.rest()).rejects.toMatchObject({ code: "POSITION_MISSING", details: { consumer: "hearing" } });
});

it("settled resolves when a consumer that has nothing left was stopped, and rejects when something came since", async () => {
  const t = await trial([host, service("hearing").on(rolls.rolled, () => {})]);
  await t.app.publish(rolls.rolled({ key: "a", n: 1 }));
  await t.rest();
  t.running.forget("hearing");
  await t.rest();
  await t.app.publish(rolls.rolled({ key: "b", n: 2 }));
  await expect(t.rest()).rejects.toMatchObject({ details: { consumer: "hearing" } });
});
