import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, gate, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), n: z.int() });
const rolls = topic("rolls", { key: "key", events: { rolled: event("roll.rolled", shape) } });
const host = service("host").owns(rolls);
const act = { actor: "ann", reason: "the till is shut", at: 5 };

let handled: string[] = [];
const till = () => {
  handled = [];
  return service("till").on(rolls.rolled, { from: "beginning" }, ({ data }) => {
    handled.push(`${data.key}${data.n}`);
  });
};

async function turn(t: Trial, verb: "pause" | "resume"): Promise<number> {
  const { changed } = await t.running.engine.operate[verb]("till", act);
  await t.running.changed({ pauses: true });
  return changed;
}

const view = async (t: Trial) =>
  (await t.running.engine.inspect.consumers(t.clock.now())).find(({ consumer }) => consumer === "till");

it("starts no runs while it is paused, also after a restart, and does them in order when it is resumed", async () => {
  const t = await trial([host, till()], { dir: tempFolder() });
  expect(await turn(t, "pause")).toBe(1);
  expect(await turn(t, "pause")).toBe(0);
  await t.app.publish([rolls.rolled({ key: "a", n: 1 }), rolls.rolled({ key: "a", n: 2 })]);
  await expect(t.rest()).rejects.toMatchObject({
    code: "CONSUMER_PAUSED",
    message: "settled: till is paused by ann: the till is shut; it has events left to handle: resume it",
    details: { consumer: "till" },
  });
  expect(handled).toEqual([]);
  expect(await view(t)).toMatchObject({ lagRecords: 2, paused: { actor: "ann", reason: "the till is shut", at: 5 } });

  const again = await t.again([host, till()]);
  await expect(again.rest()).rejects.toMatchObject({ code: "CONSUMER_PAUSED" });
  expect(handled).toEqual([]);
  expect(await turn(again, "resume")).toBe(1);
  await again.rest();
  expect(handled).toEqual(["a1", "a2"]);
  expect(await view(again)).not.toHaveProperty("paused");
  const acts = await again.running.engine.inspect.audit(10);
  expect(acts.map(({ act: verb, target }) => `${verb} ${target}`)).toEqual([
    "resume consumer till",
    "pause consumer till",
  ]);
});

it("settles while it is paused with nothing to do", async () => {
  const t = await trial([host, till()]);
  await turn(t, "pause");
  await t.rest();
  await t.app.publish(rolls.rolled({ key: "a", n: 1 }));
  await expect(t.rest()).rejects.toMatchObject({ code: "CONSUMER_PAUSED" });
});

it("lets a run that is under way end, and its key's next one wait", async () => {
  const held = gate();
  const done: number[] = [];
  const slow = service("till").on(rolls.rolled, { from: "beginning" }, async ({ data }) => {
    await held.opened;
    done.push(data.n);
  });
  const t = await trial([host, slow]);
  await t.app.publish([rolls.rolled({ key: "a", n: 1 }), rolls.rolled({ key: "a", n: 2 })]);
  await t.until(() => t.status("till").inFlight === 1);
  await turn(t, "pause");
  held.open();
  await expect(t.rest()).rejects.toMatchObject({ code: "CONSUMER_PAUSED" });
  expect(done).toEqual([1]);
  expect(await view(t)).toMatchObject({ lagRecords: 1 });
});

it("is refused for a consumer that nobody registered", async () => {
  const t = await trial([host]);
  await expect(t.running.engine.operate.pause("tlil", act)).rejects.toMatchObject({ code: "NOT_FOUND" });
});
