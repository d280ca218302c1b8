import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, gate, trial } from "../testing/trial.js";
import { remote } from "../testing/trial-remote.js";
import { adminOf } from "../testing/trial-saga.js";
import { projection } from "./projection.js";

afterEach(endTrials);

const Added = z.object({ id: z.string(), n: z.int() });
const steps = topic("steps", { key: "id", partitions: 4, events: { added: event("step.added", Added) } });
const sums = (version: number) =>
  projection("sums", { version, row: z.object({ sum: z.int() }) }).on(steps.added, (row, { data }) => {
    if (data.n === 13) throw new Failure("EVENT_REJECTED", "unlucky");
    return { sum: (row?.sum ?? 0) + data.n };
  });
const why = { actor: "ann", reason: "a test" };

/** A build gives up on an event, and what it stores of that waits while an operator amends the event for another build. */
async function givingUp() {
  const [begun, opened] = [gate(), gate()];
  let holding = false;
  const before = (call: string) => {
    if (!holding || call !== "commit") return undefined;
    begun.open();
    return opened.opened;
  };
  const services = [service("owner").owns(steps), service("views").owns(sums(1), sums(2))];
  const t = await trial(services, { engine: remote({ before }) });
  const admin = adminOf(t);
  await admin.pause({ ...why, consumer: "views.sums@2" });
  await t.app.publish(steps.added({ id: "k", n: 13 }));
  await t.until(async () => (await t.entries("views.sums@1")).some(({ state }) => state === "dead"));
  const [letter] = await t.entries("views.sums@1");
  const entry = letter?.entry as number;
  holding = true;
  await admin.resume({ ...why, consumer: "views.sums@2" });
  await begun.opened;
  const goOn = async () => {
    holding = false;
    opened.open();
    await t.rest();
  };
  return { t, admin, entry, goOn };
}

it("does not give up on what was skipped for another build meanwhile", async () => {
  const { t, admin, entry, goOn } = await givingUp();
  await admin.skip({ ...why, entries: [entry] });
  await goOn();
  expect(await t.entries()).toEqual([]);
});

it("gives up on what was edited for another build meanwhile when that fails as well, and both are skipped together", async () => {
  const { t, admin, entry, goOn } = await givingUp();
  await admin.edit({ ...why, entry, data: { id: "k", n: 13 } });
  const [edited] = await t.entries("views.sums@1");
  await goOn();
  const [letter, ...others] = await t.entries("views.sums@2");
  expect([letter?.state, letter?.record.id, others]).toEqual(["dead", edited?.record.id, []]);
  await admin.skip({ ...why, entries: [entry] });
  expect(await t.entries()).toEqual([]);
});
