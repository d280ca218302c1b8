import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import type { Outcome } from "../store/unit.js";
import { meddled } from "../testing/faulty-store.js";
import { endTrials, gate, type Trial, trial } from "../testing/trial.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", {
  key: "key",
  partitions: 1,
  events: { taken: event("step.taken", Step), noted: event("step.noted", Step) },
});
const take = (key: string, n: number) => steps.taken({ key, n });

/** How far the frontier is behind the log's end, and what is in the lanes. */
async function standing(t: Trial) {
  const [view] = await t.running.engine.inspect.consumers(t.clock.now());
  const [position] = view?.positions ?? [];
  return {
    behind: (position?.end ?? 0) - (position?.frontier ?? 0),
    states: (await t.entries()).map((entry) => entry.state),
  };
}

describe("an event whose lane's head", () => {
  it("waits for its next attempt joins it at once, so that the frontier goes on", async () => {
    const failing = service("failing").on(
      steps.taken,
      { retry: { attemptsInPlace: 1, backoffFirst: "1h", backoffMax: "1h" } },
      () => {
        throw new Error("no");
      },
    );
    const t = await trial([failing]);
    await t.app.publish(take("a", 0));
    await t.until(async () => (await t.entries()).length === 1);
    await t.app.publish(take("a", 1));
    await t.clock.advance(2_000);
    expect(await standing(t)).toEqual({ behind: 0, states: ["parked", "following"] });
  });

  it("has moved to an entry, as its handler is slow, joins it at once", async () => {
    const go = gate();
    const ran: number[] = [];
    const slow = service("slow").on(steps.taken, { timeout: "1h" }, async ({ data }) => {
      ran.push(data.n);
      await go.opened;
    });
    const t = await trial([slow]);
    await t.app.publish(take("a", 0));
    await t.clock.advance(60_000);
    await t.app.publish(take("a", 1));
    await t.clock.advance(2_000);
    expect(await standing(t)).toEqual({ behind: 0, states: ["running", "following"] });
    go.open();
    await t.rest();
    expect([ran, await t.entries()]).toEqual([[0, 1], []]);
  });

  it("is slow in a later attempt joins it once that has taken long", async () => {
    const go = gate();
    const slow = service("slow").on(
      steps.taken,
      { timeout: "1h", retry: { attemptsInPlace: 1 } },
      async (_, { attempt }) => {
        if (attempt === 1) throw new Error("no");
        await go.opened;
      },
    );
    const t = await trial([slow]);
    await t.app.publish(take("a", 0));
    await t.clock.advance(10_000);
    await t.app.publish(take("a", 1));
    await t.clock.advance(30_000);
    expect(await standing(t)).toEqual({ behind: 0, states: ["parked", "following"] });
    go.open();
    await t.rest();
    expect(await t.entries()).toEqual([]);
  });
});

it("a free place that a lane has no use for goes to the next lane", async () => {
  const first = gate();
  const ran: string[] = [];
  const one = service("one")
    .on(steps.taken, { concurrency: 1, retry: { attemptsMax: 1 }, onPoison: "skip" }, async ({ data }) => {
      ran.push(`${data.key}${data.n}`);
      if (data.key === "a") await first.opened;
    })
    .on(steps.noted, { retry: { attemptsMax: 1 }, onPoison: "skip" }, ({ data }) => {
      ran.push(`noted ${data.key}`);
      if (ran.length === 1) throw new Error("no");
      return new Promise(() => {});
    });
  const t = await trial([one]);
  await t.app.publish(steps.noted({ key: "b", n: 0 }));
  await t.until(async () => (await t.entries()).length === 1);
  await t.app.publish([take("a", 1), take("b", 1), take("c", 1)]);
  await t.until(() => ran.includes("a1"));
  // Lane b stands in the queue for a place; now an older event of its key runs first, in a place of another handler.
  const [letter] = await t.entries();
  const act = { actor: "ann", reason: "because", at: t.clock.now() };
  const { lanes } = await t.running.engine.operate.redrive([letter?.entry ?? 0], act);
  await t.running.lanesChanged(lanes);
  first.open();
  await t.until(() => ran.includes("c1"));
  expect(ran).toEqual(["noted b", "a1", "noted b", "c1"]);
});

it("a handler may return any promise, not only one of this program's Promise", async () => {
  const go = gate();
  const ended = (done: () => void) => void go.opened.then(done);
  // biome-ignore lint/suspicious/noThenProperty: this is what is tested.
  const thenable = service("thenable").on(steps.taken, (() => ({ then: ended })) as never);
  const t = await trial([thenable]);
  await t.app.publish(take("a", 0));
  await t.clock.advance(1_000);
  expect(t.status("thenable").inFlight).toBe(1);
  go.open();
  await t.rest();
});

describe("a consumer stops, and nothing else, when", () => {
  const failing = () =>
    service("failing").on(steps.taken, { retry: { attemptsInPlace: 1 } }, () => {
      throw new Error("no");
    });
  const beside = (ran: number[]) => service("beside").on(steps.taken, ({ data }) => void ran.push(data.n));

  it("its lanes cannot be read", async () => {
    const ran: number[] = [];
    const engine = meddled(embedded(":memory:"), () => ({
      readLaneHead: () => {
        throw new Failure("STORE_DAMAGED", "a row is damaged");
      },
    }));
    const t = await trial([failing(), beside(ran)], { engine });
    await t.app.publish(take("a", 0));
    await t.until(() => t.status("failing").state === "stopped");
    await t.app.publish(take("a", 1));
    await t.restBeside("failing");
    expect(t.status("failing").failure?.code).toBe("STORE_DAMAGED");
    expect(ran).toEqual([0, 1]);
  });

  it("an event can neither be handled nor set aside: it stays where it is", async () => {
    let commits = 0;
    const refused: Outcome = { type: "failed", error: new Failure("STATEMENT_FAILED", "string or blob too big") };
    const engine = meddled(embedded(":memory:"), (store) => ({
      commit: async (units, progress) => {
        const aside = units.some((unit) => unit.effects.entry !== undefined);
        if (aside) commits += 1;
        return aside ? units.map(() => refused) : await store.commit(units, progress);
      },
    }));
    const t = await trial([failing()], { engine });
    await t.app.publish(take("a", 0));
    await t.until(() => t.status("failing").state === "stopped");
    expect([commits, (await standing(t)).behind]).toEqual([1, 1]);
  });
});

it("an entry that came while a run of its lane was under way runs, when that run is given up because its lease is gone", async () => {
  const go = gate();
  const ran: number[] = [];
  const hearing = service("hearing").on(steps.taken, { onPoison: "skip", timeout: "1h" }, async ({ data }) => {
    ran.push(data.n);
    if (data.n === 0 && ran.length === 1) throw new Failure("EVENT_REJECTED", "not now");
    if (data.n === 1) await go.opened;
  });
  let lost = false;
  const engine = meddled(embedded(":memory:"), (store) => ({
    commit: async (units, progress) => {
      if (!lost || units.length === 0) return await store.commit(units, progress);
      lost = false;
      return units.map((): Outcome => ({ type: "fenced" }));
    },
  }));
  const t = await trial([hearing], { engine });
  await t.app.publish(take("a", 0));
  await t.until(async () => (await t.entries()).some(({ state }) => state === "dead"));
  await t.app.publish(take("a", 1));
  await t.until(() => ran.length === 2);
  const [letter] = await t.entries();
  const act = { actor: "a test", reason: "now", at: t.clock.now() };
  await t.running.lanesChanged((await t.running.engine.operate.redrive([letter?.entry as number], act)).lanes);
  lost = true;
  go.open();
  await t.until(() => ran.length === 3);
  expect(ran).toEqual([0, 1, 0]);
});
