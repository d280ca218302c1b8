import { expect, it } from "vitest";
import type { Consumer } from "../consumer/consumer.js";
import { Care } from "./care.js";

/** What Care sees of a consumer. */
function standing(careful = false, inFlight = 0) {
  const told: boolean[] = [];
  const consumer = { careful, inFlight, hold: (held: boolean) => told.push(held), start() {}, onTurned() {} };
  return { consumer: consumer as unknown as Consumer, told, as: consumer };
}

it("holds a consumer that comes at run time while another is careful, and the others while that one is", () => {
  const [first, second] = [standing(), standing()];
  const consumers = [first.consumer];
  const care = new Care(consumers);
  care.start();
  consumers.push(second.consumer);
  care.watch(second.consumer);
  second.as.careful = true;
  second.as.onTurned();
  expect([first.told.at(-1), second.told.at(-1)]).toEqual([true, false]);
  first.as.careful = true;
  first.as.onTurned();
  // One after the other: the first waits until the one before is over, or gone.
  expect([first.told.at(-1), second.told.at(-1)]).toEqual([true, false]);
  consumers.pop();
  care.look();
  expect(first.told.at(-1)).toBe(false);
});
