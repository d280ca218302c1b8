import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, gate, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const mebibyte = 1024 * 1024;
const Scan = z.object({ page: z.string(), parts: z.array(z.string()) });
const scans = topic("scans", { key: "page", partitions: 4, events: { made: event("scan.made", Scan) } });
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);
/** About 900 KB. */
const scan = (n: number) => scans.made({ page: `p-${n}`, parts: numbers(9).map(() => "x".repeat(100_000)) });
const small = (n: number, page = `p-${n}`) => scans.made({ page, parts: ["x".repeat(1_000)] });

/** Lets all that can happen happen. */
async function quiet(t: Trial): Promise<void> {
  for (let round = 0; round < 40; round += 1) await t.clock.advance(25);
}

describe("a consumer whose handlers do not end", () => {
  it("fetches no more than its part of the memory, while the other consumers handle everything", async () => {
    const closed = gate();
    let begun = 0;
    let stuck = 0;
    let others = 0;
    const t = await trial(
      [
        service("stuck").on(scans.made, { timeout: "1h" }, async () => {
          begun += 1;
          await closed.opened;
          stuck += 1;
        }),
        service("other").on(scans.made, () => {
          others += 1;
        }),
      ],
      { dir: tempFolder() },
    );
    let most = 0;
    for (let n = 0; n < 500; n += 1) {
      await t.app.publish(scan(n));
      if (n % 20 === 0) await t.clock.advance(0);
      most = Math.max(most, t.status("stuck").eventsBytes + t.status("other").eventsBytes);
    }
    await t.until(() => others === 500);
    // A quarter of 64 MiB is its own, half is common; each fetch may go over by a block, which is one event here.
    expect(t.status("stuck").eventsBytes).toBeGreaterThan(47 * mebibyte);
    expect(t.status("stuck").eventsBytes).toBeLessThan(49 * mebibyte);
    expect(most).toBeLessThan(66 * mebibyte);
    expect(begun).toBeLessThan(57);
    expect(t.status("other").eventsBytes).toBe(0);
    closed.open();
    await t.rest();
    expect(stuck).toBe(500);
    expect(t.status("stuck").eventsBytes).toBe(0);
  }, 60_000);

  it("leaves the others the guaranteed part, and gives back the common part as its events finish", async () => {
    const closed = gate();
    let done = 0;
    const t = await trial(
      [
        service("first").on(scans.made, { timeout: "1h" }, async () => {
          await closed.opened;
          done += 1;
        }),
        service("second").on(scans.made, { timeout: "1h" }, async () => {
          await closed.opened;
          done += 1;
        }),
      ],
      { memory: { eventsBytesMax: 100_000 } },
    );
    for (let n = 0; n < 300; n += 1) await t.app.publish(small(n));
    await quiet(t);
    const held = [t.status("first").eventsBytes, t.status("second").eventsBytes];
    expect(Math.min(...held)).toBeGreaterThanOrEqual(25_000);
    expect(Math.max(...held)).toBeLessThan(80_000);
    expect(held.reduce((sum, bytes) => sum + bytes)).toBeLessThan(105_000);
    closed.open();
    await t.rest();
    expect(done).toBe(600);
    expect(t.status("first").eventsBytes + t.status("second").eventsBytes).toBe(0);
  });
});

describe("the bytes of fetched events", () => {
  it("are given back by events that were parked, followed, died, or moved to an entry", async () => {
    const t = await trial([
      service("s").on(scans.made, { timeout: "2m", retry: { attemptsMax: 4 } }, async ({ key }) => {
        if (key === "slow") await new Promise<void>((resolve) => t.clock.after(60_000, resolve));
        if (key === "bad") throw new Error("broken");
      }),
    ]);
    for (let n = 0; n < 5; n += 1) for (const page of ["slow", "bad", `p-${n}`]) await t.app.publish(small(n, page));
    await t.rest();
    expect((await t.entries()).map((entry) => entry.state)).toContain("dead");
    expect(t.status("s").eventsBytes).toBe(0);
  });

  it("of a consumer that stopped are free for the others", async () => {
    const closed = gate();
    let handled = 0;
    const t = await trial(
      [
        service("broken").on(scans.made, { timeout: "1h", concurrency: 1 }, async () => {
          await closed.opened;
          throw new Failure("OPTION_INVALID", "no limit is set");
        }),
        service("slow").on(scans.made, { timeout: "1h" }, async () => {
          handled += 1;
          await new Promise<void>((resolve) => t.clock.after(3_600_000, resolve));
        }),
      ],
      { memory: { eventsBytesMax: 100_000 } },
    );
    for (let n = 0; n < 60; n += 1) await t.app.publish(small(n));
    await quiet(t);
    closed.open();
    await t.until(() => t.status("broken").state === "stopped");
    for (let n = 60; n < 200; n += 1) await t.app.publish(small(n));
    await quiet(t);
    expect(t.status("broken").eventsBytes).toBe(0);
    expect(t.status("slow").eventsBytes).toBeGreaterThan(74_000);
    expect(handled).toBeGreaterThan(60);
  });
});

it("events read from the store count, too: a redrive of large ones reads no more than there is room for", async () => {
  let broken = true;
  let running = 0;
  let most = 0;
  const closed = gate();
  const s = service("s").on(scans.made, { timeout: "1h" }, async () => {
    if (broken) throw new Failure("EVENT_REJECTED", "broken");
    running += 1;
    most = Math.max(most, running);
    await closed.opened;
    running -= 1;
  });
  const t = await trial([s], { memory: { eventsBytesMax: 4 * mebibyte } });
  for (let n = 0; n < 30; n += 1) await t.app.publish(scan(n));
  await t.rest();
  const dead = (await t.entries()).map(({ entry }) => entry);
  expect(dead).toHaveLength(30);
  broken = false;
  const { lanes } = await t.running.engine.operate.redrive(dead, { actor: "ann", reason: "mended", at: 1 });
  await t.running.lanesChanged(lanes);
  await quiet(t);
  // Four fit; the fifth may begin while there is any room.
  expect([running, t.status("s").eventsBytes > 3.5 * mebibyte]).toEqual([5, true]);
  closed.open();
  await t.rest();
  expect([most, t.status("s").eventsBytes, await t.entries()]).toEqual([5, 0, []]);
});

it.each([0, -1, 1.5, "64MiB", Number.NaN])("memory.eventsBytesMax of %j is refused", async (eventsBytesMax) => {
  await expect(trial([], { memory: { eventsBytesMax: eventsBytesMax as number } })).rejects.toMatchObject({
    code: "OPTION_INVALID",
    message: expect.stringContaining("memory.eventsBytesMax takes a whole number of bytes"),
  });
});
