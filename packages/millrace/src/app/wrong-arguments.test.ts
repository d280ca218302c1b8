import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { aggregate } from "../aggregate/aggregate.js";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { millrace } from "../main/millrace.js";
import { projection } from "../projection/projection.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { given } from "../testing/given.js";
import { harness } from "../testing/harness.js";
import { endTrials, trial } from "../testing/trial.js";
import { fulfilment, shop } from "../testing/trial-shop.js";

afterEach(endTrials);

const Lamp = z.object({ lamp: z.string(), n: z.int() });
const lamps = topic("lamps", { key: "lamp", events: { lit: event("lamp.lit", Lamp) } });
const light = command("light", Lamp, { key: "lamp" });
const lamp = aggregate(lamps, {
  commands: [light],
  initialState: () => ({ n: 0 }),
  decide: ({ data }) => [lamps.lit(data)],
  evolve: (_, { data }) => ({ n: data.n }),
});
const view = projection("lamps", { version: 1, row: Lamp, indexes: ["n"] }).on(lamps.lit, (_, { data }) => data);
const kept = documents("kept", Lamp, { id: "lamp", indexes: ["n"] });
const saga = fulfilment();

async function running() {
  const { app } = await trial([
    ...shop({ saga }),
    service("house")
      .owns(lamp, view)
      .on(lamps.lit, ({ data }, ctx) => ctx.documents(kept).put(data)),
  ]);
  return {
    app,
    rows: app.projection(view),
    lit: app.aggregate(lamp),
    orders: app.saga(saga),
    stored: app.documents(kept),
  };
}
type Asked = Awaited<ReturnType<typeof running>>;

describe("a question that TypeScript would not let pass says what is wrong with it:", () => {
  it.each<[string, (asked: Asked) => Promise<unknown>, string]>([
    ["rows of no conditions", ({ rows }) => rows.find(null as never), "the conditions takes an object, like"],
    ["a count of a list", ({ rows }) => rows.count([] as never), "takes an object, like { status"],
    [
      "rows by a bigint",
      ({ rows }) => rows.find({ n: 1n as never }),
      "projection lamps: n is 1, which no document holds",
    ],
    ["documents of no conditions", ({ stored }) => stored.find(null as never), "documents kept: find takes an object"],
    [
      "documents by a bigint",
      ({ stored }) => stored.find({ n: 1n as never }),
      "find({ n }) is 1, which no document holds",
    ],
    [
      "sagas of no status",
      ({ orders }) => orders.find(undefined as never),
      "app.saga(fulfilment).find takes an object",
    ],
    [
      "sagas of an unknown status",
      ({ orders }) => orders.find({ status: "done" as never }),
      'status is "done"; there are early, running',
    ],
    ["a saga of no key", ({ orders }) => orders.get(undefined as never), "an id is text, not undefined"],
    ["an aggregate at null", ({ lit }) => lit.get("l-1", null as never), "a moment is { version }"],
    [
      "an aggregate at a version of text",
      ({ lit }) => lit.get("l-1", { version: "3" } as never),
      "a moment is { version }",
    ],
    ["an aggregate of no id", ({ lit }) => lit.get(undefined as never), "app.aggregate(lamps): id is undefined"],
    ["a difference from nothing", ({ lit }) => lit.diff("l-1", undefined as never), "a moment is { version }"],
    ["who changed nothing", ({ lit }) => lit.blame("l-1", undefined as never), "lamps: the path to blame is undefined"],
  ])("%s", async (_, ask, message) => {
    const error: unknown = await ask(await running()).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "OPTION_INVALID", message: expect.stringContaining(message) });
  });

  it("a logger that writes nothing", () => {
    for (const logger of [false, null, {}, console.log])
      expect(() => millrace({ services: [], logger: logger as never })).toThrow(
        /logger: is .* without (debug, info, .*)?child; give a logger like pino, silentLogger for none/,
      );
    expect(() => millrace({ services: [service("none")], logger: silentLogger })).not.toThrow();
  });

  it("a test of nothing", async () => {
    for (const nothing of [undefined, null, "app"]) {
      expect(() => (given as (of: unknown) => unknown)(nothing)).toThrow(/given\(…\) takes what aggregate\(\)/);
      await expect(harness(nothing as never)).rejects.toMatchObject({
        code: "OPTION_INVALID",
        message: expect.stringContaining("harness: takes an app that millrace() made"),
      });
    }
  });
});
