import { expect, it } from "vitest";
import { gate } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { Looks } from "./looks.js";

it("a look that fails while it is waited for is told to whoever asked for it, and waited for no longer", async () => {
  const stopped: unknown[] = [];
  const looks = new Looks(virtualClock(), (error) => void stopped.push(error));
  const answer = gate();
  const look = looks.add(answer.opened.then(() => Promise.reject(new Error("broken"))));
  const over = looks.over(Promise.resolve(), 1_000);
  answer.open();
  await expect(look).rejects.toThrow("broken");
  await over;
  looks.failed(new Error("the engine is closed"));
  expect(stopped).toEqual([]);
});

it("a look that the last runs have asked for is waited for, too", async () => {
  const looks = new Looks(virtualClock(), () => {});
  const [runs, answer] = [gate(), gate()];
  let over = false;
  const waiting = looks.over(runs.opened, 1_000).then(() => {
    over = true;
  });
  void looks.add(answer.opened);
  runs.open();
  await new Promise(setImmediate);
  expect(over).toBe(false);
  answer.open();
  await waiting;
});
