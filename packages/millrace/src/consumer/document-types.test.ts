import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { meddled } from "../testing/faulty-store.js";
import { endTrials, gate, trial } from "../testing/trial.js";

afterEach(endTrials);

const steps = topic("steps", { key: "key", events: { taken: event("step.taken", z.object({ key: z.string() })) } });
const counts = documents("counts", z.object({ key: z.string() }), { id: "key" });
const runs: string[] = [];
afterEach(() => void runs.splice(0));
const counting = service("counting").on(steps.taken, { retry: { attemptsMax: 2 } }, ({ data }, ctx) => {
  runs.push(data.key);
  ctx.documents(counts).put(data);
});
const taken = (keys: readonly string[]) => keys.map((key) => steps.taken({ key }));

it("a document is committed only after a remote store has been told of its type", async () => {
  const answers = gate();
  const engine = meddled(embedded(":memory:"), (store) => ({
    ensureDocumentType: async (shape) => {
      await answers.opened;
      await store.ensureDocumentType(shape);
    },
  }));
  const t = await trial([service("host").owns(steps), counting], { engine });
  await t.app.publish(taken(["a", "b"]));
  await t.until(() => runs.length === 2);
  await t.clock.advance(1_000);
  expect([await t.app.documents(counts).get("a"), t.status("counting").inFlight]).toEqual([undefined, 2]);
  answers.open();
  await t.rest();
  expect(await t.app.documents(counts).get("b")).toEqual({ key: "b" });
  expect(t.status("counting").state).toBe("running");
});

it("a type that could not be declared fails the run, and is declared again by the next one", async () => {
  let asked = 0;
  const engine = meddled(embedded(":memory:"), (store) => ({
    ensureDocumentType: async (shape) => {
      asked += 1;
      if (asked === 1) throw new Failure("STORE_UNAVAILABLE", "the connection broke");
      await store.ensureDocumentType(shape);
    },
  }));
  const t = await trial([service("host").owns(steps), counting], { engine });
  await t.app.publish(taken(["a"]));
  await t.rest();
  expect([runs, asked]).toEqual([["a", "a"], 2]);
  expect(await t.app.documents(counts).get("a")).toEqual({ key: "a" });
  await t.app.publish(taken(["b"]));
  await t.rest();
  expect(asked).toBe(2);
});
