import fc from "fast-check";
import { expect, it } from "vitest";
import { EventMemory } from "./memory.js";

it("guarantees half of it in equal parts, and gives the rest to whoever comes first", () => {
  const memory = new EventMemory(1_000, 2);
  const first = memory.share(() => {});
  const second = memory.share(() => {});
  expect(first.room()).toBe(750);
  first.take(750);
  expect(first.room()).toBe(0);
  expect(second.room()).toBe(250);
  second.take(100);
  expect(second.room()).toBe(150);
  first.give(100);
  expect([first.room(), second.room()]).toEqual([100, 250]);
});

it("wakes those who found nothing left, once something common is given back", () => {
  const woken: string[] = [];
  const memory = new EventMemory(1_000, 2);
  const first = memory.share(() => woken.push("first"));
  const second = memory.share(() => woken.push("second"));
  first.take(750);
  second.take(250);
  expect([first.room(), second.room()]).toEqual([0, 0]);
  first.give(1);
  expect(woken).toEqual(["first", "second"]);
  first.give(1);
  expect(woken).toHaveLength(2);
});

it("has back what a consumer held that stopped, whatever is given back later", () => {
  const memory = new EventMemory(1_000, 2);
  const first = memory.share(() => {});
  const second = memory.share(() => {});
  first.take(700);
  first.close();
  first.give(700);
  expect(first.used).toBe(0);
  expect(second.room()).toBe(750);
});

it("never lets those who ask first hold more than there is, and leaves each its guaranteed part", () => {
  const step = fc.record({ who: fc.nat(3), bytes: fc.integer({ min: 1, max: 400 }), give: fc.boolean() });
  fc.assert(
    fc.property(fc.integer({ min: 4, max: 2_000 }), fc.array(step, { maxLength: 60 }), (bytesMax, steps) => {
      const memory = new EventMemory(bytesMax, 4);
      const shares = Array.from({ length: 4 }, () => memory.share(() => {}));
      for (const { who, bytes, give } of steps) {
        const share = shares[who] as (typeof shares)[number];
        if (give) share.give(Math.min(bytes, share.used));
        else share.take(Math.min(bytes, share.room()));
        const held = shares.reduce((sum, one) => sum + one.used, 0);
        // The guaranteed parts are rounded up to whole bytes.
        expect(held).toBeLessThanOrEqual(bytesMax + 4);
        for (const one of shares) expect(one.used + one.room()).toBeGreaterThanOrEqual(memory.guaranteed);
      }
    }),
  );
});
