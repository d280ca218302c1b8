import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), n: z.int() });
const rolls = topic("rolls", { key: "key", events: { rolled: event("roll.rolled", shape) } });

class BrokenPromise extends Promise<void> {
  // biome-ignore lint/suspicious/noThenProperty: this is what is tried
  override then(): never {
    throw new Error("a promise that refuses to be awaited");
  }
}

const thenThrows = {
  // biome-ignore lint/suspicious/noThenProperty: this is what is tried
  then() {
    throw new Error("no reply");
  },
};
const getterThrows = {
  // biome-ignore lint/suspicious/noThenProperty: this is what is tried
  get then() {
    throw new Error("no getter");
  },
};
const rejectsTwice = {
  // biome-ignore lint/suspicious/noThenProperty: this is what is tried
  then(_: unknown, reject: (error: Error) => void) {
    reject(new Error("first"));
    reject(new Error("second"));
    throw new Error("third");
  },
};

it("what a handler returns can fail its own event, and nothing else", async () => {
  const returned = [thenThrows, getterThrows, rejectsTwice, () => new BrokenPromise(() => {})] as const;
  const handled: string[] = [];
  const game = service("game").on(rolls.rolled, { retry: { attemptsMax: 1 } }, ({ data }) => {
    const value = returned[data.n];
    if (value !== undefined) return (typeof value === "function" ? value() : value) as unknown as Promise<void>;
    handled.push(data.key);
  });
  const t = await trial([service("host").owns(rolls), game]);
  for (const n of returned.keys()) await t.app.publish(rolls.rolled({ key: `bad-${n}`, n }));
  await t.app.publish(rolls.rolled({ key: "good", n: 99 }));
  await t.rest();
  expect(t.status("game").state).toBe("running");
  expect(handled).toEqual(["good"]);
  expect((await t.entries()).map(({ state, failure }) => [state, failure?.message])).toEqual([
    ["dead", "no reply"],
    ["dead", "no getter"],
    ["dead", "first"],
    ["dead", "a promise that refuses to be awaited"],
  ]);
});
