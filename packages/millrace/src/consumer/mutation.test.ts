import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), lines: z.array(z.int()) });
const baskets = topic("baskets", { key: "key", events: { filled: event("basket.filled", shape) } });

it("a handler that changes its event's data changes no later attempt, nor the dead letter", async () => {
  const seen: number[][] = [];
  const till = service("till").on(
    baskets.filled,
    { retry: { attemptsInPlace: 2, attemptsMax: 3, backoffFirst: "1ms" } },
    ({ data }) => {
      seen.push([...data.lines]);
      data.lines.pop();
      throw new Error("the printer is away");
    },
  );
  const t = await trial([service("host").owns(baskets), till]);
  await t.app.publish(baskets.filled({ key: "a", lines: [1, 2, 3] }));
  await t.rest();
  expect(seen).toEqual([
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 3],
  ]);
});

it("whatever a handler throws is a failure of its event alone", async () => {
  const thrown: readonly unknown[] = [
    Object.create(null),
    Object.assign(new Error("x"), { message: { not: "text" } }),
    Object.defineProperty(new Error("x"), "message", {
      get() {
        throw new Error("a getter that throws");
      },
    }),
    {
      toString() {
        throw new Error("no text");
      },
    },
  ];
  const handled: string[] = [];
  const till = service("till").on(baskets.filled, { retry: { attemptsMax: 1 } }, ({ data }) => {
    if (data.key !== "good") throw thrown[data.lines[0] ?? 0];
    handled.push(data.key);
  });
  const t = await trial([service("host").owns(baskets), till]);
  for (const index of thrown.keys()) await t.app.publish(baskets.filled({ key: `bad-${index}`, lines: [index] }));
  await t.app.publish(baskets.filled({ key: "good", lines: [] }));
  await t.rest();
  expect([t.status("till").state, handled]).toEqual(["running", ["good"]]);
});
