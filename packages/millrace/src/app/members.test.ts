import { existsSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { socketOf } from "../embedded/owner.js";
import { type FromOwner, socketWire, type ToOwner } from "../embedded/wire.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { expectOnceInOrder, handled, keyOf, keys, ownerPid, Program, programs } from "../testing/trial-members.js";

afterEach(async () => {
  for (const child of programs) child.kill("SIGKILL");
  programs.clear();
  await endTrials();
});

describe("three processes on one file", () => {
  it("share the partitions, and handle every event once, in order", async () => {
    const dir = tempFolder();
    const first = await Program.start(dir);
    for (let n = 0; n < 100; n += 1) first.publish({ key: keyOf(n), n });
    await first.ackedAtLeast(100);
    const others = [await Program.start(dir), await Program.start(dir)];
    const all = [first, ...others];
    const shares = async () => (await Promise.all(all.map((one) => one.ask({ numbers: [] })))).map((a) => a.partitions);
    while ((await shares()).sort().join() !== "2,3,3") expect(programs.size).toBe(3);
    for (let n = 100; n < 1_000; n += 1) all[n % 3]?.publish({ key: keyOf(n), n });
    await Promise.all(all.map((one, index) => one.ackedAtLeast(index === 0 ? 400 : 300)));
    const acked = all.flatMap((one) => one.acked);
    expect(acked).toHaveLength(1_000);
    for (const one of all) expectOnceInOrder(await handled(one, acked), acked);
  });

  it("go on when the owner is killed, and lose, double and reorder nothing", async () => {
    const dir = tempFolder();
    const all = [await Program.start(dir), await Program.start(dir), await Program.start(dir)];
    const killed: Program[] = [];
    for (let n = 0; n < 3_000; n += 1) {
      const publisher = all[n % 3] as Program;
      publisher.publish({ key: keyOf(n), n });
      if (n % 1_000 !== 900) continue;
      await Promise.all(all.map((one) => one.ackedAtLeast(20)));
      const index = all.findIndex(({ child }) => child.pid === ownerPid(dir));
      const owner = all[index] as Program;
      await owner.kill();
      killed.push(owner);
      all[index] = await Program.start(dir);
      expect(ownerPid(dir)).not.toBe(owner.child.pid);
    }
    const acked = [...all, ...killed].flatMap((one) => one.acked);
    expect(killed).toHaveLength(3);
    expectOnceInOrder(await handled(all[0] as Program, acked), acked);
    expect([...all, ...killed].flatMap(({ refused }) => refused)).toEqual([]);
  }, 120_000);

  it("leave all to the last one when the others are killed, at once", async () => {
    const dir = tempFolder();
    const all = [await Program.start(dir), await Program.start(dir)];
    const shares = async () => (await Promise.all(all.map((one) => one.ask({ numbers: [] })))).map((a) => a.partitions);
    while ((await shares()).join() !== "4,4") expect(programs.size).toBe(2);
    const [owner, last] = all as [Program, Program];
    expect(owner.child.pid).toBe(ownerPid(dir));
    for (let n = 0; n < 200; n += 1) last.publish({ key: keyOf(n), n });
    await last.ackedAtLeast(20);
    await owner.kill();
    await last.ackedAtLeast(200);
    expectOnceInOrder(await handled(last, last.acked), last.acked);
    expect((await last.ask({ numbers: [] })).partitions).toBe(8);
  });

  it("are not stopped by a handler that spins in the owner", async () => {
    const dir = tempFolder();
    const owner = await Program.start(dir);
    const other = await Program.start(dir);
    const shares = async () => await Promise.all([owner, other].map((one) => one.ask({ numbers: [] })));
    while ((await shares()).some(({ partitions }) => partitions !== 4)) expect(programs.size).toBe(2);
    // The owner's handlers spin on these; those of the other process do not.
    for (const key of keys) other.publish({ key, n: 0, spins: owner.child.pid as number });
    await other.ackedAtLeast(keys.length);
    const spins = join(dir, "spins");
    while (!existsSync(spins)) await other.ask({ numbers: [] });
    for (let n = 1; n <= 50; n += 1) other.publish({ key: keyOf(n), n });
    await other.ackedAtLeast(keys.length + 50);
    const seen = async () => (await other.ask({ numbers: keys })).numbers ?? [];
    while ((await seen()).flat().filter((n) => n > 0).length < 5) expect(existsSync(spins)).toBe(true);
    rmSync(spins);
    const ended = handled(other, other.acked);
    // It meets more of them.
    let over = false;
    void ended.then(() => {
      over = true;
    });
    while (!over) {
      rmSync(spins, { force: true });
      await other.ask({ numbers: [] });
    }
    expectOnceInOrder(await ended, other.acked);
  });

  it("all hold a consumer that one of them pauses, also after a take-over, until another resumes it", async () => {
    const dir = tempFolder();
    const all = [await Program.start(dir), await Program.start(dir), await Program.start(dir)];
    expect(await all[1]?.ask({ turn: "pause" })).toEqual({ turned: 1 });
    for (let n = 0; n < 90; n += 1) all[n % 3]?.publish({ key: keyOf(n), n });
    await Promise.all(all.map((one) => one.ackedAtLeast(30)));
    const acked = all.flatMap((one) => one.acked);
    const none = async (by: Program) => {
      for (let look = 0; look < 20; look += 1) expect((await by.ask({ numbers: keys })).numbers?.flat()).toEqual([]);
    };
    for (const one of all) await none(one);
    const owner = all.find(({ child }) => child.pid === ownerPid(dir)) as Program;
    await owner.kill();
    const left = all.filter((one) => one !== owner);
    for (const one of left) await none(one);
    expect(await left[0]?.ask({ turn: "resume" })).toEqual({ turned: 1 });
    expectOnceInOrder(await handled(left[1] as Program, acked), acked);
  });

  it("drive a job on together, each dead letter once, also when the owner is killed on the way", async () => {
    const dir = tempFolder();
    writeFileSync(join(dir, "broken"), "");
    const all = [await Program.start(dir), await Program.start(dir), await Program.start(dir)];
    const dead = Array.from({ length: 60 }, (_, n) => `dead${n}`);
    for (const key of dead) all[0]?.publish({ key, n: 1 });
    await all[0]?.ackedAtLeast(60);
    for (const key of dead) all[1]?.publish({ key, n: 2 });
    await all[1]?.ackedAtLeast(60);
    const owner = all.find(({ child }) => child.pid === ownerPid(dir)) as Program;
    const [by] = all.filter((one) => one !== owner) as [Program];
    while ((await by.ask({ dead: true })).dead !== 60) expect(programs.size).toBe(3);
    rmSync(join(dir, "broken"));
    expect(await by.ask({ redrive: true })).toEqual({ job: 1 });
    while (((await by.ask({ dead: true })).dead ?? 0) > 40) expect(programs.size).toBe(3);
    await owner.kill();
    for (;;) {
      const { numbers } = await by.ask({ numbers: dead });
      if (numbers?.every((one) => one.length >= 2)) break;
    }
    expect((await by.ask({ numbers: dead })).numbers).toEqual(dead.map(() => [1, 2]));
    expect(await by.ask({ dead: true })).toEqual({ dead: 0 });
  });

  it("leave in order: the last one's file is whole, and the next owner has every lease at once", async () => {
    const dir = tempFolder();
    const all = [await Program.start(dir), await Program.start(dir)];
    for (let n = 0; n < 100; n += 1) all[n % 2]?.publish({ key: keyOf(n), n });
    await Promise.all(all.map((one) => one.ackedAtLeast(50)));
    const acked = all.flatMap((one) => one.acked);
    for (const one of all) expect(await one.ask({ stop: true })).toEqual({ stopped: true });
    const next = await Program.start(dir);
    expect((await next.ask({ numbers: [] })).partitions).toBe(8);
    expectOnceInOrder(await handled(next, acked), acked);
  });
});

describe("a program of another version", () => {
  it("is refused with both versions named", async () => {
    const dir = tempFolder();
    await Program.start(dir);
    // The owner's writer moves into its own thread when somebody comes: the second one is let in, or refused, there.
    let said: FromOwner | "ended" = "ended";
    while (said === "ended")
      said = await new Promise<FromOwner | "ended">((resolve) => {
        const wire = socketWire<ToOwner, FromOwner>(connect(socketOf(dir)));
        wire.listen(resolve, () => resolve("ended"));
        wire.send({ type: "hello", wire: 99, format: 99, member: "1/other", pid: 1 });
      });
    expect(said).toMatchObject({ type: "refused", failure: { code: "STORE_FORMAT" } });
  });
});
