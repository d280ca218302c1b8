import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { command } from "../contract/event.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, trial } from "../testing/trial.js";
import { order, played as playedOut } from "../testing/trial-saga.js";
import { ended, type Fate, fulfilment, held, orders } from "../testing/trial-shop.js";
import { saga } from "./saga.js";

afterEach(endTrials);

const payOnly = command("pay-later", z.object({ orderId: z.string() }), { key: "orderId" });

async function played(playing: Parameters<typeof playedOut>[0] = {}) {
  const { t, saga, runs, instance } = await playedOut(playing);
  return { t, saga, runs: runs(), instance: await instance() };
}
const factsOf = (history: readonly { readonly type: string; readonly step?: string }[] = []) =>
  history.map(({ type, step }) => (step === undefined ? type : `${type} ${step}`));

describe("a saga", () => {
  it("sends one command after the other, and says that all is done", async () => {
    const { t, runs, instance } = await played();
    expect(runs).toEqual(["pay", "reserve", "ship"]);
    expect(await ended(t)).toEqual(["outcome.confirmed"]);
    expect(await held(t)).toEqual([100, 100, 100]);
    expect(instance).toMatchObject({ status: "completed", state: order, current: [], transitions: 8 });
    expect(factsOf(instance?.history)).toEqual([
      "started",
      "sent pay",
      "done pay",
      "sent reserve",
      "done reserve",
      "sent ship",
      "done ship",
      "completed",
    ]);
  });

  it("takes back what was done, in reverse order, when a step fails", async () => {
    const { t, runs, instance } = await played({ fates: (type) => (type === "ship" ? "failed" : "done") });
    expect(runs).toEqual(["pay", "reserve", "ship", "release", "refund"]);
    expect(await ended(t)).toEqual(["outcome.failed"]);
    expect(await held(t)).toEqual([0, 0, 0]);
    expect(instance).toMatchObject({ status: "aborted", why: "ship failed: parcel.lost was heard" });
  });

  it("starts once: the same event again changes nothing", async () => {
    const { t, saga, runs } = await played();
    const before = await t.app.saga(saga).get("o-1");
    await t.app.publish(orders.placed(order));
    await t.rest();
    expect(await t.app.saga(saga).get("o-1")).toEqual(before);
    expect(runs).toHaveLength(3);
  });

  it("does not take a promise of `when` for a yes", async () => {
    const late = saga("late", { startsOn: orders.placed, key: "orderId", state: ({ data }) => data }).step("pay", {
      when: (async () => false) as never,
      send: (s) => payOnly({ orderId: s.orderId }),
      done: orders.placed,
      undo: "nothing",
    });
    const t = await trial([service("orders").owns(orders, late), service("paying").handle(payOnly, () => {})]);
    await t.app.publish(orders.placed(order));
    await t.rest();
    expect((await t.entries())[0]?.failure).toMatchObject({
      code: "DECISION_INVALID",
      message: "saga late: what when() of step pay returns is a promise; it is returned synchronously",
    });
  });

  it("does not begin with a state that is a promise: its steps would know nothing", async () => {
    const late = saga("late", { startsOn: orders.placed, key: "orderId", state: async ({ data }) => data }).step(
      "pay",
      {
        send: () => payOnly({ orderId: "o-1" }),
        done: orders.placed,
        undo: "nothing",
      },
    );
    const t = await trial([service("orders").owns(orders, late), service("paying").handle(payOnly, () => {})]);
    await t.app.publish(orders.placed(order));
    await t.rest();
    expect(await t.app.saga(late).get("o-1")).toBeUndefined();
    expect((await t.entries())[0]?.failure).toMatchObject({
      code: "DECISION_INVALID",
      message:
        "saga late o-1: the state that state returned for order.placed is a promise; it is returned synchronously",
    });
  });

  it("takes a refusal as a failed reply, though it publishes nothing", async () => {
    const { runs, instance } = await played({ fates: (type) => (type === "reserve" ? "refused" : "done") });
    expect(runs).toEqual(["pay", "reserve", "refund"]);
    expect(instance).toMatchObject({ status: "aborted", why: "reserve failed: refused, NO: not this one" });
  });
});

/** Every command fares in each way, on so many runs before it succeeds. */
const commands = ["pay", "reserve", "ship", "refund", "release"] as const;
const fates: readonly Fate[] = ["failed", "refused", "throws", "dies"];
const tries = 3;
/** So many runs fail before the lane gives an event up. */
const laneRuns = 8;

describe("whatever becomes of a command", () => {
  for (const command of commands)
    for (const fate of fates)
      for (const fails of [1, 2, 3, laneRuns])
        it(`${command} ${fate} ${fails} times: what is held agrees with the end`, async () => {
          // Undoing commands only come when a later step fails.
          const isUndo = command === "refund" || command === "release";
          const faring = (type: string, _: string, run: number): Fate => {
            if (type === command && run <= fails) return fate;
            return type === "ship" && isUndo ? "failed" : "done";
          };
          const saga = fulfilment({ retry: { attemptsMax: tries } });
          const { t } = await played({ saga, fates: faring });
          // The pauses between tries of a saga's own.
          await t.clock.advance(60_000);
          await t.rest();
          const instance = await t.app.saga(saga).get("o-1");
          expect(instance?.status).toBe(endOf({ fate, fails, isUndo }));
          await agrees(t, instance?.status);
        });
});

function endOf(of: { readonly fate: Fate; readonly fails: number; readonly isUndo: boolean }): string {
  const { fate, fails, isUndo } = of;
  if (fate === "dies" || (fate === "throws" && fails >= laneRuns)) return "stuck";
  if (fate === "throws" || fails < tries) return isUndo ? "aborted" : "completed";
  return isUndo ? "stuck" : "aborted";
}

async function agrees(t: Trial, status: string | undefined): Promise<void> {
  if (status === "completed") expect(await held(t)).toEqual([100, 100, 100]);
  if (status === "aborted") expect(await held(t)).toEqual([0, 0, 0]);
}
