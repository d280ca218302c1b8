import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Key = z.object({ key: z.string() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Key) } });

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

it.each([
  ["a block that is gone", "DELETE FROM mr_log WHERE pos % 4 = 1"],
  ["a record of a partition that the topic does not have", `UPDATE mr_log SET body = replace(body, '",0,"', '",9,"')`],
])("%s stops its readers, which do not go on behind it", async (_, damage) => {
  const dir = tempFolder();
  const lone = topic("lone", { key: "key", partitions: 1, events: { came: event("lone.came", Key) } });
  const host = service("host").owns(lone);
  const first = await trial([host], { dir });
  for (const key of ["a", "b", "c"]) await first.app.publish(lone.came({ key }));
  await first.stop();
  expect(otherProgram(dir, (database) => Number(database.prepare(damage).run().changes))).toBeGreaterThan(0);
  const heard: string[] = [];
  const hearing = service("hearing").on(lone.came, { from: "beginning" }, ({ key }) => void heard.push(key));
  const t = await trial([host, hearing], { dir });
  await t.until(() => t.status("hearing").state === "stopped");
  expect(t.status("hearing").failure?.code).toBe("STORE_DAMAGED");
  expect(heard).not.toContain("c");
});
