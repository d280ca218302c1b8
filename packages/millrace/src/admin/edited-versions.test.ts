import { afterEach, expect, it } from "vitest";
import * as z from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";
import { actsOf } from "./acts.js";

afterEach(endTrials);

const seen: unknown[] = [];
afterEach(() => void seen.splice(0));

/** The program as it was, with numbers as text. */
function before() {
  const taken = event("step.taken", z.object({ key: z.string(), n: z.string() }));
  const steps = topic("steps", { key: "key", events: { taken } });
  const stepping = service("stepping").on(steps.taken, { from: "beginning" }, ({ version, data }) => {
    seen.push([version, data.n]);
  });
  return { steps, services: [service("owner").owns(steps), stepping] };
}

/** The program after its contract has moved on. */
function after() {
  const taken = event("step.taken", z.object({ key: z.string(), n: z.int() }), { version: 2 });
  const steps = topic("steps", { key: "key", events: { taken } });
  const stepping = service("stepping").on(steps.taken, { from: "beginning" }, ({ version, data }) => {
    seen.push([version, data.n]);
  });
  return [service("owner").owns(steps), stepping];
}

const why = { reason: "numbers were text", actor: "ann" };

/** An event of version 1 that an operator of a program of version 2 has edited. */
async function edited(): Promise<{ readonly dir: string; readonly t: Trial }> {
  const dir = tempFolder();
  const { steps, services } = before();
  const old = await trial([services[0] as (typeof services)[0]], { dir });
  await old.app.publish(steps.taken({ key: "a", n: "7" }));
  const t = await old.again(after());
  await t.rest();
  const [letter] = await t.entries();
  expect(letter).toMatchObject({ state: "dead", failure: { code: "CONTRACT_REJECTED" }, record: { version: 1 } });
  const { edit, redrive } = actsOf({ app: t.app, running: t.running });
  await edit({ ...why, entry: letter?.entry as number, data: { key: "a", n: 7 } });
  await redrive({ ...why, entries: [letter?.entry as number] });
  await t.rest();
  return { dir, t };
}

/** The consumer reads the log again, as a new one does: its amendments stay. */
const readAgain = (dir: string) =>
  otherProgram(dir, (database) => database.exec("DELETE FROM mr_consumers; DELETE FROM mr_positions"));

it("an edited event has the version of the contract that its data was checked against, also when it is read again", async () => {
  const { dir, t } = await edited();
  expect(seen).toEqual([[2, 7]]);
  await t.stop();
  readAgain(dir);
  const again = await t.again(after());
  await again.rest();
  expect([seen, await again.entries()]).toEqual([
    [
      [2, 7],
      [2, 7],
    ],
    [],
  ]);
});

it("an edited event waits in a program that does not know its version yet, and does not die there", async () => {
  const { dir, t } = await edited();
  await t.stop();
  readAgain(dir);
  const old = await t.again(before().services);
  await old.until(async () => (await old.entries()).length > 0);
  expect(await old.entries()).toMatchObject([{ state: "parked", failure: { code: "CONTRACT_NEWER" } }]);
  const newer = await old.again(after());
  await newer.rest();
  expect([seen.at(-1), await newer.entries()]).toEqual([[2, 7], []]);
});
