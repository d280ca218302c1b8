import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";

afterEach(endTrials);

const jobs = topic("jobs", { key: "key", events: { begun: event("job.begun", z.object({ key: z.string() })) } });

it("what listeners of a handler's signal throw is logged, and neither the consumer nor the process ends", async () => {
  const heard: string[] = [];
  const removed = () => heard.push("removed");
  const working = service("working").on(
    jobs.begun,
    { timeout: "1s", retry: { attemptsMax: 1 } },
    async ({ data }, { signal }) => {
      if (data.key === "good") return;
      signal.addEventListener("abort", () => {
        throw new Error("thrown");
      });
      signal.addEventListener("abort", async () => {
        throw new Error("rejected");
      });
      signal.addEventListener("abort", {
        handleEvent() {
          throw new Error("in an object");
        },
      });
      signal.onabort = () => {
        throw new Error("on abort");
      };
      signal.addEventListener("abort", removed);
      signal.removeEventListener("abort", removed);
      signal.addEventListener("abort", () => heard.push((signal.reason as { code: string }).code), { once: true });
      // Everything that takes a signal takes this one.
      const either = AbortSignal.any([signal]);
      await new Promise((_, reject) => either.addEventListener("abort", () => reject(either.reason)));
    },
  );
  const t = await trial([service("host").owns(jobs), working]);
  await t.app.publish(jobs.begun({ key: "bad" }));
  await t.rest();
  await t.app.publish(jobs.begun({ key: "good" }));
  await t.rest();
  expect(heard).toEqual(["HANDLER_TIMEOUT"]);
  expect(t.status("working")).toMatchObject({ state: "running" });
  expect(await t.entries()).toMatchObject([{ state: "dead", failure: { code: "HANDLER_TIMEOUT" } }]);
  const logged = t.lines.filter(({ message }) => message === "a listener of ctx.signal failed");
  expect(logged.map(({ fields }) => (fields.err as Error).message).sort()).toEqual([
    "in an object",
    "on abort",
    "rejected",
    "thrown",
  ]);
});
