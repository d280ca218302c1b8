import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const steps = topic("steps", { key: "key", events: { taken: event("step.taken", z.object({ key: z.string() })) } });

it("a block whose records cannot be told apart any more stops its readers, and is no event of another offset", async () => {
  const dir = tempFolder();
  const first = await trial([service("host").owns(steps)], { dir });
  await first.app.publish(["a", "b", "c"].map((key) => steps.taken({ key })));
  await first.stop();
  otherProgram(dir, (database) => database.exec("UPDATE mr_log SET body = replace(body, char(10), '~')"));
  const heard: string[] = [];
  const hearing = service("hearing").on(steps.taken, { from: "beginning" }, ({ key }) => void heard.push(key));
  const t = await trial([service("host").owns(steps), hearing], { dir });
  await t.until(() => t.status("hearing").state === "stopped");
  expect([t.status("hearing").failure?.code, heard]).toEqual(["STORE_DAMAGED", []]);
});

it("a record of which nobody can say whose it is stops its readers, and does not pass them by", async () => {
  const dir = tempFolder();
  const first = await trial([service("host").owns(steps)], { dir });
  await first.app.publish(["a", "b", "c"].map((key) => steps.taken({ key })));
  await first.stop();
  otherProgram(dir, (database) => database.exec(`UPDATE mr_log SET body = '[@@@@' || substr(body, 6)`));
  const hearing = service("hearing").on(steps.taken, { from: "beginning" }, () => {});
  const t = await trial([service("host").owns(steps), hearing], { dir });
  await t.until(() => t.status("hearing").state === "stopped");
  expect(t.status("hearing").failure?.code).toBe("STORE_DAMAGED");
});
