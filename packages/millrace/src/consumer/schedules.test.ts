import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import type { ScheduleOptions } from "../service/service.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";

afterEach(endTrials);

const Tick = z.object({ key: z.string(), at: z.string() });
const ticks = topic("ticks", { key: "key", events: { came: event("tick.came", Tick) } });
const minute = 60_000;
const hour = 60 * minute;

const ticking = (options: ScheduleOptions, make = (tick: Date) => ticks.came({ key: "t", at: tick.toISOString() })) =>
  service("ticking").owns(ticks).schedule("report", options, make);
/** The ticks that were published, and when they were. */
async function published(t: Trial) {
  const { events } = await t.running.engine.inspect.events({ type: "tick.came", limit: 1_000 });
  return events.map((record) => ({ at: (record.data as z.infer<typeof Tick>).at, published: record.time }));
}
const times = async (t: Trial) => (await published(t)).map((tick) => tick.at);

describe("a schedule", () => {
  it("publishes one message a tick, at its time", async () => {
    const t = await trial([ticking({ cron: "*/15 * * * *" })], { clock: virtualClock(Date.UTC(2026, 0, 1, 0, 1)) });
    await t.clock.advance(44 * minute);
    await t.rest();
    expect(await published(t)).toEqual([
      { at: "2026-01-01T00:15:00.000Z", published: Date.UTC(2026, 0, 1, 0, 15) },
      { at: "2026-01-01T00:30:00.000Z", published: Date.UTC(2026, 0, 1, 0, 30) },
      { at: "2026-01-01T00:45:00.000Z", published: Date.UTC(2026, 0, 1, 0, 45) },
    ]);
  });

  it("goes on over restarts without a tick lost or doubled", async () => {
    const services = () => [ticking({ cron: "0 * * * *" })];
    let t = await trial(services(), { dir: tempFolder(), clock: virtualClock(Date.UTC(2026, 0, 1, 0, 30)) });
    for (let restarts = 0; restarts < 4; restarts += 1) {
      await t.clock.advance(hour);
      t = await t.again(services());
    }
    await t.rest();
    expect(await times(t)).toEqual([1, 2, 3, 4].map((h) => `2026-01-01T0${h}:00:00.000Z`));
  });

  it.each([
    ["the last", undefined, ["2026-01-01T09:00:00.000Z"]],
    ["the last", "last", ["2026-01-01T09:00:00.000Z"]],
    ["all", "all", [6, 7, 8, 9].map((h) => `2026-01-01T0${h}:00:00.000Z`)],
  ] as const)("that missed ticks while nothing ran publishes %s of them", async (_, missed, expected) => {
    const options = { cron: "0 * * * *", ...(missed === undefined ? {} : { missed }) };
    const t = await trial([ticking(options)], { dir: tempFolder(), clock: virtualClock(Date.UTC(2026, 0, 1, 5, 10)) });
    await t.stop();
    t.clock.set(Date.UTC(2026, 0, 1, 9, 20));
    const again = await t.again([ticking(options)]);
    await again.rest();
    expect(await times(again)).toEqual(expected);
    await again.clock.advance(hour);
    await again.rest();
    expect(await times(again)).toEqual([...expected, "2026-01-01T10:00:00.000Z"]);
  });

  it("that missed ticks for two years finds the last of them", async () => {
    const t = await trial([ticking({ cron: "* * * * *" })], { dir: tempFolder() });
    await t.stop();
    t.clock.set(Date.UTC(2028, 0, 1, 0, 0, 30));
    const again = await t.again([ticking({ cron: "* * * * *" })]);
    await again.rest();
    expect(await times(again)).toEqual(["2028-01-01T00:00:00.000Z"]);
  });

  it("waits when the clock is set back: never early, and no tick twice", async () => {
    const t = await trial([ticking({ cron: "0 * * * *" })], { clock: virtualClock(Date.UTC(2026, 0, 1, 0, 59)) });
    await t.clock.advance(2 * minute);
    t.clock.set(Date.UTC(2026, 0, 1, 0, 30));
    await t.clock.advance(90 * minute - 1);
    expect(await times(t)).toEqual(["2026-01-01T01:00:00.000Z"]);
    await t.clock.advance(1);
    await t.rest();
    expect(await published(t)).toEqual([
      { at: "2026-01-01T01:00:00.000Z", published: Date.UTC(2026, 0, 1, 1) },
      { at: "2026-01-01T02:00:00.000Z", published: Date.UTC(2026, 0, 1, 2) },
    ]);
  });

  it("notices within a minute that the clock was set forward", async () => {
    const t = await trial([ticking({ cron: "0 * * * *" })], { clock: virtualClock(Date.UTC(2026, 0, 1, 0, 1)) });
    t.clock.set(Date.UTC(2026, 0, 1, 3, 30));
    await t.clock.advance(minute);
    await t.rest();
    expect(await times(t)).toEqual(["2026-01-01T03:00:00.000Z"]);
  });

  it("goes on where another process left it, which was ahead and has died", async () => {
    const dir = tempFolder();
    const clock = virtualClock(Date.UTC(2026, 0, 1, 0, 30));
    const t = await trial([ticking({ cron: "0 * * * *" })], { dir, clock });
    // The other one publishes the tick of one o'clock and dies; this one stands still until ten past five.
    const next = Date.UTC(2026, 0, 1, 2);
    otherProgram(dir, (database) => database.prepare("UPDATE mr_schedules SET next = ?").run(next));
    clock.set(Date.UTC(2026, 0, 1, 5, 10));
    await clock.advance(minute);
    await t.rest();
    expect(await times(t)).toEqual(["2026-01-01T05:00:00.000Z"]);
    await clock.advance(hour);
    await t.rest();
    expect(await times(t)).toEqual(["2026-01-01T05:00:00.000Z", "2026-01-01T06:00:00.000Z"]);
  });

  it("follows its time zone through the changes of the clocks", async () => {
    const options = { cron: "30 9 * * *", timezone: "Europe/London" };
    const t = await trial([ticking(options)], { clock: virtualClock(Date.UTC(2026, 2, 28)) });
    await t.clock.advance(3 * 24 * hour);
    await t.rest();
    // The clocks go forward on the 29th of March 2026.
    expect(await times(t)).toEqual([
      "2026-03-28T09:30:00.000Z",
      "2026-03-29T08:30:00.000Z",
      "2026-03-30T08:30:00.000Z",
    ]);
  });

  it("of a time that the change of the clocks leaves out or repeats comes once that day", async () => {
    const options = { cron: "30 1 * * *", timezone: "Europe/London" };
    const spring = await trial([ticking(options)], { clock: virtualClock(Date.UTC(2026, 2, 28, 12)) });
    await spring.clock.advance(24 * hour);
    await spring.rest();
    expect(await times(spring)).toHaveLength(1);
    const autumn = await trial([ticking(options)], { clock: virtualClock(Date.UTC(2026, 9, 24, 12)) });
    await autumn.clock.advance(24 * hour);
    await autumn.rest();
    expect(await times(autumn)).toHaveLength(1);
  });

  it("takes seconds as a sixth field", async () => {
    const t = await trial([ticking({ cron: "*/20 * * * * *" })]);
    await t.clock.advance(minute);
    await t.rest();
    expect(await times(t)).toHaveLength(3);
  });

  it("that is declared with another cron begins anew from now on", async () => {
    const t = await trial([ticking({ cron: "0 * * * *" })], { dir: tempFolder() });
    await t.clock.advance(90 * minute);
    const again = await t.again([ticking({ cron: "0 0 * * *" })]);
    await again.clock.advance(24 * hour);
    await again.rest();
    expect(await times(again)).toEqual(["2026-01-01T01:00:00.000Z", "2026-01-02T00:00:00.000Z"]);
  });

  it("whose message cannot be made says so, and its tick stays due until it can", async () => {
    let broken = true;
    const t = await trial([
      ticking({ cron: "0 * * * *" }, (tick) => {
        if (broken) throw new Error("no data yet");
        return ticks.came({ key: "t", at: tick.toISOString() });
      }),
    ]);
    await t.clock.advance(hour + 5 * minute);
    expect(await times(t)).toEqual([]);
    expect(t.lines.find((line) => line.level === "error")?.message).toMatch(/ticking: schedule report/);
    broken = false;
    await t.clock.advance(2 * minute);
    await t.rest();
    expect(await times(t)).toEqual(["2026-01-01T01:00:00.000Z"]);
  });

  it.each([
    [{ cron: "every day" }, /ticking: schedule report: cron "every day"/],
    [{ cron: "61 * * * *" }, /cron "61 \* \* \* \*"/],
    [{ cron: "" }, /cron ""/],
    [{ cron: "* * * * *", timezone: "Mars/Olympus" }, /Mars\/Olympus/],
    [{ cron: "* * * * *", missed: "some" }, /ticking: schedule report: missed.*last.*all/],
  ])("with wrong options %j is refused at start", async (options, message) => {
    await expect(trial([ticking(options as ScheduleOptions)])).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(message),
    });
  });
});
