import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { EventName, Message } from "../contract/contract.js";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure, isFailure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import type { Service } from "../service/service.js";
import type { Outcome, Unit } from "../store/unit.js";
import { faulty } from "../testing/faulty-store.js";
import { endTrials, gate, type Trial, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Step) } });
const echoes = topic("echoes", { key: "key", events: { heard: event("echo.heard", Step) } });
const poke = command("poke", Step, { key: "key" });
const counts = documents("counts", z.object({ key: z.string(), n: z.int() }), { id: "key" });

const lost = () => new Failure("STORE_UNAVAILABLE", "the connection broke before the answer came");

/** An app that loses the first answer of every unit: it is sent again, and found to be stored. */
async function losing(services: readonly Service[]) {
  const settled: Outcome["type"][] = [];
  const sent = new Set<unknown>();
  const engine = faulty(embedded(":memory:"), {
    after(units, outcomes) {
      const fresh = units.map(workOf).filter((work) => !sent.has(work));
      for (const work of fresh) sent.add(work);
      if (fresh.length > 0) throw lost();
      settled.push(...outcomes.map((outcome) => outcome.type));
    },
  });
  const t = await trial(services, { engine });
  return { t, settled };
}

/** A caller that tries again makes a new unit of the same work. */
function workOf(unit: Unit): unknown {
  const { claim, effects } = unit;
  if (claim.type === "publish") return effects.records?.[0]?.id;
  return claim.type === "operation" ? claim.operation.idempotency?.key : unit;
}

const adding = (runs: string[] = [], options: object = {}) =>
  service("adding").on(steps.taken, { emits: [echoes.heard], ...options }, async ({ data }, ctx) => {
    runs.push(`${data.key}${data.n}#${ctx.attempt}`);
    const before = (await ctx.documents(counts).get(data.key))?.n ?? 0;
    ctx.documents(counts).put({ key: data.key, n: before + 1 });
    ctx.publish(echoes.heard(data));
  });
const events = async (t: Trial, type: string) =>
  (await t.running.engine.inspect.events({ type, limit: 1_000 })).events.map((record) => record.data);

/** Publishing with an id of one's own may be repeated until an answer comes. */
async function publishSurely(t: Trial, message: Message<EventName, unknown>, id: string) {
  for (;;) {
    let done = false;
    const publishing = t.app.publish(message, { id }).then(
      () => true,
      (error) => {
        if (!isFailure(error, "STORE_UNAVAILABLE")) throw error;
        return false;
      },
    );
    void publishing.finally(() => {
      done = true;
    });
    await t.until(() => done);
    if (await publishing) return;
  }
}

describe("when the answer of every commit is lost", () => {
  it("log records take effect once, and their handlers are not run again", async () => {
    const runs: string[] = [];
    const { t, settled } = await losing([adding(runs)]);
    for (const n of [0, 1, 2]) await publishSurely(t, steps.taken({ key: "a", n }), `step-${n}`);
    await t.rest();
    expect(await t.app.documents(counts).get("a")).toEqual({ key: "a", n: 3 });
    expect(runs).toEqual(["a0#1", "a1#1", "a2#1"]);
    expect(await events(t, "echo.heard")).toHaveLength(3);
    expect(settled.filter((type) => type === "already").length).toBeGreaterThanOrEqual(3);
  });

  it("parked, dead and following entries are stored once, and run once per attempt", async () => {
    const runs: string[] = [];
    const failing = service("failing").on(
      steps.taken,
      { emits: [echoes.heard], retry: { attemptsInPlace: 1, attemptsMax: 3 } },
      ({ data }, ctx) => {
        runs.push(`${data.n}#${ctx.attempt}`);
        ctx.publish(echoes.heard(data));
        if (data.n === 1 || (data.n === 0 && ctx.attempt < 3)) throw new Error("no");
      },
    );
    const { t } = await losing([failing]);
    for (const n of [0, 1, 2]) await publishSurely(t, steps.taken({ key: "a", n }), `step-${n}`);
    await t.rest();
    expect(runs).toEqual(["0#1", "0#2", "0#3", "1#1", "1#2", "1#3"]);
    expect((await t.entries()).map((entry) => [entry.state, entry.attempt])).toEqual([
      ["dead", 3],
      ["following", 0],
    ]);
    expect(await events(t, "echo.heard")).toEqual([{ key: "a", n: 0 }]);
  });

  it("a slow handler's event moves to one entry, and its late end takes effect once", async () => {
    const go = gate();
    const runs: number[] = [];
    const slow = service("slow").on(steps.taken, { emits: [echoes.heard], timeout: "10m" }, async ({ data }, ctx) => {
      runs.push(data.n);
      if (data.n === 0) await go.opened;
      ctx.publish(echoes.heard(data));
    });
    const { t } = await losing([slow]);
    for (const n of [0, 1, 2]) await publishSurely(t, steps.taken({ key: "a", n }), `step-${n}`);
    await t.clock.advance(60_000);
    await t.until(async () => (await t.entries()).length === 3);
    expect((await t.entries()).map((entry) => entry.state)).toEqual(["running", "following", "following"]);
    go.open();
    await t.rest();
    expect(runs).toEqual([0, 1, 2]);
    expect((await events(t, "echo.heard")).map((data) => (data as { n: number }).n)).toEqual([0, 1, 2]);
    expect((await t.running.engine.inspect.consumers(0))[0]?.lagRecords).toBe(0);
  });

  it("timers fire once", async () => {
    const waiting = service("waiting").on(steps.taken, { emits: [echoes.heard] }, ({ data }, ctx) => {
      for (const n of [1, 2, 3]) ctx.after(`${n}h`, echoes.heard({ ...data, n }));
    });
    const { t } = await losing([waiting]);
    await publishSurely(t, steps.taken({ key: "a", n: 0 }), "step");
    await t.rest();
    await t.clock.advance(4 * 3_600_000);
    await t.rest();
    expect((await events(t, "echo.heard")).map((data) => (data as { n: number }).n)).toEqual([1, 2, 3]);
  });

  it("schedules publish once a tick", async () => {
    const ticking = service("ticking")
      .owns(echoes)
      .schedule("hourly", { cron: "0 * * * *" }, (tick) => echoes.heard({ key: "t", n: tick.getUTCHours() }));
    const { t } = await losing([ticking]);
    await t.clock.advance(3 * 3_600_000 + 60_000);
    await t.rest();
    expect((await events(t, "echo.heard")).map((data) => (data as { n: number }).n)).toEqual([1, 2, 3]);
  });

  it("a command repeated with its key is handled once, and its answer is the first one's", async () => {
    const runs: number[] = [];
    const { t } = await losing([service("poked").handle(poke, ({ data }) => void runs.push(data.n))]);
    const send = () => t.app.send(poke({ key: "a", n: 1 }), { idempotency: { scope: "web", key: "k" } });
    const first = await answered(t, send());
    expect(first).toMatchObject({ code: "STORE_UNAVAILABLE" });
    // The handler is at work meanwhile, and an answer shared with it may be lost as well.
    await t.rest();
    const again = await answered(t, send());
    expect(again).toMatchObject({ command: "poke", key: "a" });
    expect(runs).toEqual([1]);
  });

  it("a direct publish repeated with its id is stored once", async () => {
    const { t } = await losing([adding()]);
    await publishSurely(t, steps.taken({ key: "a", n: 1 }), "mine");
    await t.rest();
    expect(await events(t, "step.taken")).toHaveLength(1);
    expect(await t.app.documents(counts).get("a")).toEqual({ key: "a", n: 1 });
  });

  it("a direct publish without an id of its own tells its caller that nobody knows: repeated, it is another event", async () => {
    const { t } = await losing([adding()]);
    const first = await answered(t, t.app.publish(steps.taken({ key: "a", n: 1 })));
    expect(first).toMatchObject({ code: "STORE_UNAVAILABLE" });
    await answered(t, t.app.publish(steps.taken({ key: "a", n: 1 })));
    await t.rest();
    expect(await events(t, "step.taken")).toHaveLength(2);
  });
});

/** What the promise came to, a failure included. */
async function answered(t: Trial, asked: Promise<object>): Promise<object> {
  let answer: object | undefined;
  asked.then(
    (value) => {
      answer = value;
    },
    (error: object) => {
      answer = error;
    },
  );
  await t.until(() => answer !== undefined);
  return answer as object;
}

describe("when the store is away for a while", () => {
  it("what handlers did is sent again until it is back; publishers are told at once", async () => {
    const runs: string[] = [];
    let away = false;
    const engine = faulty(embedded(":memory:"), {
      before() {
        if (away) throw lost();
      },
    });
    const t = await trial([adding(runs)], { engine });
    await t.app.publish([0, 1, 2].map((n) => steps.taken({ key: `k${n}`, n })));
    away = true;
    const refused = await answered(t, t.app.publish(steps.taken({ key: "late", n: 9 })));
    expect(refused).toMatchObject({ code: "STORE_UNAVAILABLE" });
    await t.clock.advance(600_000);
    expect([runs.length, (await events(t, "echo.heard")).length]).toEqual([3, 0]);
    away = false;
    await t.rest();
    expect([runs.length, (await events(t, "echo.heard")).length, await t.entries()]).toEqual([3, 3, []]);
    expect(t.lines.some((line) => line.level === "error" && line.fields.code === "STORE_UNAVAILABLE")).toBe(true);
  });
});
