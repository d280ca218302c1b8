import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, Trial, tempFolder } from "../testing/trial.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), n: z.int() });
const rolls = topic("rolls", { key: "key", events: { rolled: event("roll.rolled", shape) } });
const roll = command("roll", shape, { key: "key" });

let handled: string[] = [];
const services = () => {
  handled = [];
  const host = service("host").handle(roll, { emits: [rolls.rolled] }, ({ data }, ctx) => {
    handled.push(`host ${data.n}`);
    ctx.publish(rolls.rolled(data));
  });
  const till = service("till").on(rolls.rolled, { from: "beginning" }, ({ data }) => {
    handled.push(`till ${data.n}`);
  });
  return [host, till];
};

it("runs the handlers of the services that it is given; the others' messages can be sent, and wait", async () => {
  const t = new Trial(services(), { dir: tempFolder() });
  await t.app.start({ services: ["till"] });
  expect(t.running.consumers().map(({ consumer }) => consumer)).toEqual(["till"]);
  expect(t.running.elsewhere).toEqual(["host"]);
  await t.app.send(roll({ key: "a", n: 1 }));
  await t.app.publish(rolls.rolled({ key: "a", n: 2 }));
  await t.rest();
  expect(handled).toEqual(["till 2"]);
  const all = await t.again(services());
  await all.rest();
  expect(handled).toEqual(["host 1", "till 1"]);
});

it("makes the tables of the services that it is given, and of no other", async () => {
  const table = (name: string) => ({ [`001-${name}`]: `CREATE TABLE ${name}(n INTEGER)` });
  const both = () => [service("one").migrations(table("ones")), service("two").migrations(table("twos"))];
  const t = new Trial(both(), { dir: tempFolder() });
  await t.app.start({ services: ["one"] });
  expect(await t.app.query`SELECT * FROM ones`).toEqual([]);
  await expect(t.app.query`SELECT * FROM twos`).rejects.toMatchObject({ code: "STATEMENT_FAILED" });
  const all = await t.again(both());
  expect(await all.app.query`SELECT * FROM twos`).toEqual([]);
});

it("refuses names that the app does not have, and says which it has", async () => {
  const start = (names: readonly string[]) => new Trial(services()).app.start({ services: names });
  await expect(start(["till", "tlil"])).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: "start: services names tlil, which the app does not have; it has host, till",
  });
  await expect(start([])).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(new Trial(services()).app.start({ service: ["till"] } as never)).rejects.toMatchObject({
    code: "OPTION_INVALID",
  });
});
