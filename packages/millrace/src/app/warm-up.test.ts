import { expect, it } from "vitest";
import type { ContractDeclaration } from "../contract/declaration.js";
import type { App, Running } from "./app.js";
import { warmUp } from "./warm-up.js";

const turns = async (count: number) => {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** Contracts that note when their check is first used. */
function watched(count: number) {
  const compiled: number[] = [];
  const contracts = Array.from({ length: count }, (_, n) => {
    const check = (value: unknown) => {
      expect(value).toBeUndefined();
      compiled.push(n);
      if (n === 1) throw new Error("its schema does not compile");
      return "nothing";
    };
    return [`type-${n}`, { check } as unknown as ContractDeclaration] as const;
  });
  return { compiled, running: { contracts: new Map(contracts) } as unknown as Running };
}

it("compiles one check in a turn of the event loop, until none is left, past those that do not compile", async () => {
  const { compiled, running } = watched(5);
  await warmUp().start({} as App, running);
  expect(compiled).toEqual([]);
  await turns(2);
  expect(compiled.length).toBeLessThan(4);
  await turns(5);
  expect(compiled).toEqual([0, 1, 2, 3, 4]);
});

it("ends with the app", async () => {
  const { compiled, running } = watched(1_000);
  const extension = warmUp();
  await extension.start({} as App, running);
  await turns(3);
  await extension.stop();
  const before = compiled.length;
  await turns(5);
  expect(compiled).toHaveLength(before);
});
