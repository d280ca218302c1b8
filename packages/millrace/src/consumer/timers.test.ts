import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import type { Duration } from "../runtime/duration.js";
import { service } from "../service/declare.js";
import type { Unit } from "../store/unit.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

const Say = z.object({ key: z.string(), text: z.string() });
const asks = topic("asks", { key: "key", events: { made: event("ask.made", Say) } });
const says = topic("says", { key: "key", events: { said: event("say.said", Say) } });
const nudge = command("nudge", Say, { key: "key" });
type Ctx = Context<"say.said" | "nudge">;

const hour = 3_600_000;
const day = 24 * hour;

/** Does what `act` says with each ask, and keeps when each answer came. */
function waiting(act: (ctx: Ctx, text: string, key: string) => void) {
  const heard: { readonly text: string; readonly at: number }[] = [];
  const make = (t: () => Trial) => [
    service("waiting")
      .on(asks.made, { emits: [says.said, nudge] }, ({ data }, ctx) => act(ctx, data.text, data.key))
      .handle(nudge, ({ data }) => void heard.push({ text: `nudged ${data.text}`, at: t().clock.now() })),
    service("hearing").on(says.said, ({ data }) => void heard.push({ text: data.text, at: t().clock.now() })),
  ];
  return { heard, make };
}
async function waitingTrial(act: (ctx: Ctx, text: string, key: string) => void, dir?: string) {
  const { heard, make } = waiting(act);
  let current: Trial | undefined;
  const services = () => make(() => current as Trial);
  const t = await trial(services(), dir === undefined ? {} : { dir });
  current = t;
  const ask = async (text: string, key = "a") => {
    await t.app.publish(asks.made({ key, text }));
    await t.rest();
  };
  return { t, heard, ask, services, now: () => t.clock.now() };
}
const say = (ctx: Ctx, delay: Duration, text: string, name?: string) =>
  ctx.after(delay, says.said({ key: "a", text }), name === undefined ? {} : { name });

describe("a timer", () => {
  it("publishes its message when it is due, not before, as a part of the flow that set it", async () => {
    const { t, heard, ask, now } = await waitingTrial((ctx, text) => say(ctx, "10m", `later ${text}`));
    const set = now();
    await ask("one");
    await t.clock.advance(set + 600_000 - now() - 1);
    await t.rest();
    expect(heard).toEqual([]);
    await t.clock.advance(1);
    await t.rest();
    expect(heard.map((one) => one.text)).toEqual(["later one"]);
    const [cause] = (await t.running.engine.inspect.events({ type: "ask.made", limit: 1 })).events;
    const [later] = (await t.running.engine.inspect.events({ type: "say.said", limit: 9 })).events;
    expect(later).toMatchObject({ causationId: cause?.id, correlationId: cause?.id, hops: 1, source: "waiting" });
  });

  it("is not fired along with one that is due a moment before", async () => {
    const { t, heard, ask, now } = await waitingTrial((ctx) => {
      say(ctx, "60000ms", "first");
      say(ctx, "60001ms", "second");
    });
    const set = now();
    await ask("go");
    await t.clock.advance(120_000);
    await t.rest();
    expect(heard).toEqual([
      { text: "first", at: set + 60_000 },
      { text: "second", at: set + 60_001 },
    ]);
  });

  it("sends a command as well", async () => {
    const { t, heard, ask } = await waitingTrial((ctx, text, key) => ctx.after("1s", nudge({ key, text })));
    await ask("me");
    await t.clock.advance(1_000);
    await t.rest();
    expect(heard.map((one) => one.text)).toEqual(["nudged me"]);
  });

  it.each([
    ["1ms", 1],
    ["1s", 1_000],
    ["1h", hour],
    ["25d", 25 * day],
    ["400d", 400 * day],
    ["3650d", 3_650 * day],
  ] as const)("of %s fires at its time and never early, over a restart", async (delay, ms) => {
    const { t, heard, ask, services, now } = await waitingTrial((ctx) => say(ctx, delay, "late"), tempFolder());
    const due = now() + ms;
    await ask("go");
    const early = Math.max(0, due - now() - 1);
    // Most of the time passes while nothing runs.
    const again = await restarted(t, services(), Math.max(0, early - 2 * hour));
    const left = due - again.clock.now();
    if (left > 0) {
      await again.clock.advance(left - 1);
      expect(heard).toEqual([]);
      await again.clock.advance(1);
    }
    await again.rest();
    expect(heard).toHaveLength(1);
    expect(heard[0]?.at).toBeGreaterThanOrEqual(due);
    expect(heard[0]?.at).toBeLessThanOrEqual(Math.max(due, again.clock.now()));
  });

  it("that fell due while nothing ran fires at the start, once, in the order of their times", async () => {
    const { t, heard, ask, services } = await waitingTrial((ctx) => {
      say(ctx, "3h", "third");
      say(ctx, "1h", "first");
      say(ctx, "2h", "second");
    }, tempFolder());
    await ask("go");
    const again = await restarted(t, services(), 30 * day);
    await again.rest();
    expect(heard.map((one) => one.text)).toEqual(["first", "second", "third"]);
    const last = await restarted(again, services(), day);
    await last.rest();
    expect(heard).toHaveLength(3);
  });

  it("of two thousand that are due at once all fire, once each", async () => {
    const { t, heard, ask } = await waitingTrial((ctx) => {
      for (let n = 0; n < 2_000; n += 1) say(ctx, "1h", `n${n}`);
    });
    await ask("go");
    await t.clock.advance(hour);
    await t.rest();
    expect(new Set(heard.map((one) => one.text)).size).toBe(2_000);
    expect(heard).toHaveLength(2_000);
  });

  it("set by a handler that failed at last is not set", async () => {
    const { t, heard, ask } = await waitingTrial((ctx) => {
      say(ctx, "1h", "never");
      throw new Error("no");
    });
    await ask("go");
    await t.clock.advance(2 * hour);
    await t.rest();
    expect(heard).toEqual([]);
  });
});

/** Stops, lets time pass in which nothing runs, and starts again. */
async function restarted(t: Trial, services: ReturnType<ReturnType<typeof waiting>["make"]>, awayMs: number) {
  await t.stop();
  await t.clock.advance(0);
  t.clock.set(t.clock.now() + awayMs);
  return await t.again(services);
}

describe("a named timer", () => {
  it("is replaced by a later one of its name, and those of other names are not", async () => {
    const { t, heard, ask } = await waitingTrial((ctx, text) => {
      say(ctx, text === "one" ? "1h" : "3h", text, "reminder");
      say(ctx, "2h", `other ${text}`, `other-${text}`);
    });
    await ask("one");
    await ask("two");
    await t.clock.advance(2 * hour + 60_000);
    expect(heard.map((one) => one.text)).toEqual(["other one", "other two"]);
    await t.clock.advance(hour);
    await t.rest();
    expect(heard.map((one) => one.text)).toEqual(["other one", "other two", "two"]);
  });

  it("is cancelled by name, in the same unit, a later one, and after a restart", async () => {
    const act = (ctx: Ctx, text: string) => {
      if (text === "cancel") return ctx.cancel("reminder");
      say(ctx, "1h", text, "reminder");
      if (text === "both") ctx.cancel("reminder");
    };
    const { t, heard, ask, services } = await waitingTrial(act, tempFolder());
    await ask("both");
    expect(await t.running.engine.store.nextTimer()).toBeUndefined();
    await ask("set");
    await ask("cancel");
    expect(await t.running.engine.store.nextTimer()).toBeUndefined();
    await ask("set");
    const again = await t.again(services());
    await again.app.publish(asks.made({ key: "a", text: "cancel" }));
    await again.rest();
    await again.clock.advance(day);
    await again.rest();
    expect(heard).toEqual([]);
  });

  it("cancelled and set again in one unit is the new one", async () => {
    const { t, heard, ask } = await waitingTrial((ctx, text) => {
      ctx.cancel("reminder");
      say(ctx, "1h", text, "reminder");
    });
    await ask("one");
    await ask("two");
    await t.clock.advance(2 * hour);
    await t.rest();
    expect(heard.map((one) => one.text)).toEqual(["two"]);
  });

  it("belongs to its service: another's of the same name is another timer", async () => {
    const heard: string[] = [];
    const setting = (name: string) =>
      service(name).on(asks.made, { emits: [nudge] }, ({ data }, ctx) => {
        if (data.text === "cancel" && name === "one") ctx.cancel("x");
        else if (data.text === "set") ctx.after("1h", nudge({ key: "a", text: name }), { name: "x" });
      });
    const owner = service("owner").handle(nudge, ({ data }) => void heard.push(data.text));
    const t = await trial([setting("one"), setting("two"), owner]);
    for (const text of ["set", "cancel"]) await t.app.publish(asks.made({ key: "a", text }));
    await t.rest();
    await t.clock.advance(2 * hour);
    await t.rest();
    expect(heard).toEqual(["two"]);
  });
});

describe("when somebody sets the clock", () => {
  it("back, a timer waits until its time has come on the clock", async () => {
    const { t, heard, ask, now } = await waitingTrial((ctx) => say(ctx, "2h", "late"));
    const due = now() + 2 * hour;
    await ask("go");
    t.clock.set(now() - hour);
    await t.clock.advance(due - now() - 1);
    expect(heard).toEqual([]);
    await t.clock.advance(1);
    await t.rest();
    expect(heard.map((one) => one.at)).toEqual([due]);
  });

  it("forward, or a machine slept, a timer that is due by then fires within a minute", async () => {
    const { t, heard, ask, now } = await waitingTrial((ctx) => say(ctx, "3650d", "late"));
    await ask("go");
    t.clock.set(now() + 3_650 * day);
    await t.clock.advance(60_000);
    await t.rest();
    expect(heard).toHaveLength(1);
  });
});

describe("two services of timers on one store", () => {
  it("fire each timer once: the second finds it taken", async () => {
    const { t, heard, ask } = await waitingTrial((ctx) => say(ctx, "1h", "once"));
    await ask("go");
    const { store } = t.running.engine;
    await t.clock.advance(hour - 60_000);
    t.clock.set(t.clock.now() + 60_000);
    const [timer] = await store.readDueTimers(t.clock.now(), 10);
    if (timer === undefined) throw new Error("the test set no timer");
    const unit: Unit = {
      claim: { type: "timer", timer: timer.timer },
      reads: [],
      effects: { records: [{ ...timer.record, offset: -1 }] },
      lane: undefined,
    };
    const outcomes = await store.commit([unit, { ...unit }], []);
    expect(outcomes.map((outcome) => outcome.type)).toEqual(["committed", "already"]);
    await t.clock.advance(2 * hour);
    await t.rest();
    expect(heard.map((one) => one.text)).toEqual(["once"]);
  });
});
