import { afterEach, expect, it } from "vitest";
import { empty, fill, freeDisks, smallDisk, unmountDisks } from "../testing/trial-disk.js";
import { expectOnceInOrder, handled, keyOf, ownerPid, Program, programs } from "../testing/trial-members.js";

afterEach(() => {
  freeDisks();
  for (const child of programs) child.kill("SIGKILL");
  programs.clear();
  unmountDisks();
});

const note = "x".repeat(2_000);

it("a full disk refuses what two processes publish, loses nothing, and lets both work on by themselves when there is space again", async (context) => {
  const dir = smallDisk(context);
  const both = [await Program.start(dir), await Program.start(dir)] as const;
  const partitions = async () =>
    await Promise.all(both.map(async (one) => (await one.ask({ numbers: [] })).partitions));
  while ((await partitions()).join() !== "4,4") expect(programs.size).toBe(2);
  let n = 0;
  const publish = async (count: number) => {
    for (let more = 0; more < count; more += 1, n += 1) both[n % 2]?.publish({ key: keyOf(n), n, note });
    await Promise.all(both.map((one) => one.answered(n / 2)));
  };
  await publish(40);
  expect(both.map(({ acked }) => acked.length)).toEqual([20, 20]);

  // What is acknowledged meanwhile found room that the write-ahead log had left.
  while (both.some(({ refused }) => refused.length === 0)) {
    fill(dir);
    await publish(20);
  }
  const before = both.map(({ acked, refused }) => [acked.length, refused.length]);
  fill(dir);
  await publish(20);
  for (const { refused } of both) for (const why of refused) expect(why).toContain("the disk is full");
  expect(both.map(({ acked, refused }) => [acked.length, refused.length])).toEqual(
    before.map(([acked = 0, refused = 0]) => [acked, refused + 10]),
  );
  // Both can still be asked, and have their partitions.
  expect(await partitions()).toEqual([4, 4]);

  empty(dir);
  const full = n;
  await publish(40);
  const acked = both.flatMap((one) => one.acked);
  expect(acked.filter((one) => one.n >= full)).toHaveLength(40);
  for (const one of both) expectOnceInOrder(await handled(one, acked), acked);
  expect(ownerPid(dir)).toBe(both[0].child.pid);
  expect(both.map(({ child }) => child.exitCode)).toEqual([null, null]);
  const echoed = async () => (await both[1].ask({ echoed: true })).echoed ?? [];
  while (new Set(await echoed()).size < acked.length) expect(programs.size).toBe(2);
  expect([...(await echoed())].sort((a, b) => a - b)).toEqual(acked.map((one) => one.n).sort((a, b) => a - b));
}, 120_000);
