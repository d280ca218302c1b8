import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";
import { begin, ending, on, order, paid, placed, play, reserved, shipped } from "../testing/trial-saga.js";
import { onlyHere } from "../testing/trial-servers.js";
import {
  ended,
  type Fate,
  fulfilment,
  held,
  orders,
  outcomes,
  parcels,
  pay,
  payments,
  refund,
  reserve,
  ship,
  shop,
  stock,
} from "../testing/trial-shop.js";
import { saga } from "./saga.js";

afterEach(endTrials);
const itHere = onlyHere();

describe("a timeout", () => {
  it("sends nothing again: what was done is taken back", async () => {
    const { t, status, runs, history } = await play({ fates: on("reserve", "silent") });
    await placed(t);
    expect(await status()).toBe("running");
    await t.clock.advance(600_000);
    await t.rest();
    expect(await status()).toBe("aborted");
    expect(runs()).toEqual(["pay", "reserve", "refund"]);
    expect(await history()).toEqual([
      "started",
      "sent pay",
      "done pay",
      "sent reserve",
      "late reserve",
      "aborting",
      "undoing pay",
      "undone pay",
      "aborted",
    ]);
  });

  it("is not heard once the step has been answered, and leaves no timer behind but that of the removal", async () => {
    const { t, history } = await play();
    await placed(t);
    const before = await history();
    await t.clock.advance(600_000);
    await t.rest();
    expect(await history()).toEqual(before);
    const next = await t.running.engine.store.nextTimer();
    expect(next).toBeGreaterThan(t.clock.now() + 29 * 86_400_000);
  });

  it("after which a success comes late takes that back by itself", async () => {
    // Its first runs fail for longer than the saga waits.
    const { t, status, runs, history } = await play({
      fates: on("reserve", "throws", { from: 1, to: 6 }),
      saga: ending(
        begin()
          .step("pay", paid)
          .step("reserve", { ...reserved, timeout: "1s" }),
      ),
    });
    await placed(t);
    await t.clock.advance(600_000);
    await t.rest();
    expect(await status()).toBe("aborted");
    expect(runs().filter((run) => run === "release")).toHaveLength(1);
    expect(await held(t)).toEqual([0, 0, 0]);
    expect(await ended(t)).toEqual(["outcome.failed"]);
    expect((await history()).slice(-4)).toEqual(["aborted", "done reserve", "undoing reserve", "undone reserve"]);
  });

  itHere("of a pivot is noted, and waited for: nobody knows whether there is a way back", async () => {
    const made = ending(
      begin()
        .step("pay", paid)
        .step("ship", { ...shipped, timeout: "1s" }),
    );
    const { t, status, history } = await play({ fates: on("ship", "throws", { from: 1, to: 6 }), saga: made });
    await placed(t);
    await t.clock.advance(600_000);
    await t.rest();
    expect(await status()).toBe("completed");
    expect(await history()).toContain("overdue ship");
  });
});

describe("a retry", () => {
  it("follows a failed reply, after a pause that doubles", async () => {
    const made = ending(begin().step("pay", { ...paid, retry: { attemptsMax: 4, backoffFirst: "10s" } }));
    const { t, status, runs } = await play({ fates: on("pay", "failed", { from: 1, to: 3 }), saga: made });
    await placed(t);
    const seen = [runs().length];
    for (let n = 0; n < 7; n += 1) {
      await t.clock.advance(10_001);
      await t.rest();
      seen.push(runs().length);
    }
    expect(seen).toEqual([1, 2, 2, 3, 3, 3, 3, 4]);
    expect(await status()).toBe("completed");
  });

  it("of a step after the pivot goes on until it is stuck: it cannot be taken back", async () => {
    const made = ending(
      begin()
        .step("pay", { ...paid, undo: undefined, kind: "pivot" } as never)
        .step("ship", { ...shipped, kind: "retriable" }),
    );
    const { t, status, runs } = await play({ fates: on("ship", "failed"), saga: made });
    await placed(t);
    for (let n = 0; n < 7; n += 1) {
      await t.clock.advance(600_000);
      await t.rest();
    }
    expect([await status(), runs().filter((run) => run === "ship").length]).toEqual(["stuck", 8]);
    expect(runs()).not.toContain("refund");
  });
});

describe("an event that aborts", () => {
  it("takes back what was done, once the step under way is answered", async () => {
    const { t, status, runs } = await play({ fates: on("reserve", "throws", { from: 1, to: 3 }) });
    await t.app.publish(orders.placed(order));
    await t.until(() => runs().includes("reserve"));
    await t.app.publish(orders.cancelled(order));
    await t.rest();
    expect(await status()).toBe("aborted");
    expect(runs().filter((run) => run !== "reserve")).toEqual(["pay", "release", "refund"]);
    expect(await held(t)).toEqual([0, 0, 0]);
  });

  itHere("is too late after the pivot", async () => {
    const made = ending(
      begin()
        .step("pay", paid)
        .step("ship", { ...shipped, kind: "pivot" })
        .step("reserve", { ...reserved, undo: undefined, kind: "retriable" } as never)
        .abortOn(orders.cancelled),
    );
    const { t, status, history } = await play({ fates: on("reserve", "throws", { from: 1, to: 3 }), saga: made });
    await t.app.publish(orders.placed(order));
    await t.until(async () => (await history()).includes("sent reserve"));
    await t.app.publish(orders.cancelled(order));
    await t.rest();
    expect(await status()).toBe("completed");
    expect(await history()).toContain("too-late");
  });

  itHere("waits for the pivot under way: its failure is followed by the abort, its success is not", async () => {
    for (const [fate, end] of [
      ["failed", "aborted"],
      ["done", "completed"],
    ] as const) {
      const made = ending(
        begin()
          .step("pay", paid)
          .step("ship", { ...shipped, retry: { attemptsMax: 5 } })
          .abortOn(orders.cancelled),
      );
      const { t, status, history } = await play({
        saga: made,
        fates: (type, _, run) => (type === "ship" ? (run <= 3 ? "throws" : fate) : "done"),
      });
      await t.app.publish(orders.placed(order));
      await t.until(async () => (await history()).includes("sent ship"));
      await t.app.publish(orders.cancelled(order));
      await t.rest();
      expect([await status(), (await history()).includes("asked")]).toEqual([end, true]);
    }
  });

  it("is remembered when it comes before the start, from another topic", async () => {
    const made = ending(begin().step("pay", paid).abortOn(payments.declined));
    const { t, status, runs } = await play({ saga: made });
    await t.app.publish(payments.declined(order));
    await t.rest();
    expect(await status()).toBe("early");
    await placed(t);
    expect([await status(), runs()]).toEqual(["aborted", []]);
    expect(await ended(t)).toEqual(["outcome.failed"]);
  });
});

describe("steps", () => {
  itHere("side by side are sent together, and the next one waits for all", async () => {
    const made = ending(
      begin()
        .parallel((s) => s.step("pay", paid).step("reserve", reserved))
        .step("ship", shipped),
    );
    const { t, history } = await play({ saga: made });
    await placed(t);
    const facts = await history();
    expect(facts.slice(0, 3)).toEqual(["started", "sent pay", "sent reserve"]);
    expect(facts.slice(-3)).toEqual(["sent ship", "done ship", "completed"]);
  });

  itHere("side by side are all taken back when one of them fails, also what succeeds after that", async () => {
    for (const [failing, slow] of [
      ["pay", "reserve"],
      ["reserve", "pay"],
    ] as const) {
      const made = ending(
        begin()
          .parallel((s) => s.step("pay", paid).step("reserve", reserved))
          .step("ship", shipped),
      );
      const fates = (type: string, _: string, run: number): Fate =>
        type === failing ? "refused" : type === slow && run < 4 ? "throws" : "done";
      const { t, status, runs } = await play({ saga: made, fates });
      await placed(t);
      expect(await status()).toBe("aborted");
      expect(await held(t)).toEqual([0, 0, 0]);
      expect(runs()).toContain(slow === "pay" ? "refund" : "release");
    }
  });

  itHere("that are not needed are passed over, and not taken back", async () => {
    const made = ending(
      begin()
        .step("pay", { ...paid, when: (s) => s.pence > 100 })
        .step("reserve", reserved)
        .step("ship", shipped),
    );
    const { t, status, runs } = await play({ saga: made, fates: on("ship", "failed") });
    await placed(t);
    expect([await status(), runs()]).toEqual(["aborted", ["reserve", "ship", "release"]]);
  });

  itHere("tell the ones after them what they learnt", async () => {
    const made = saga("fulfilment", {
      startsOn: orders.placed,
      key: "orderId",
      state: ({ data }) => ({ ...data, paid: 0 }),
    })
      .step("pay", { ...paid, onDone: (s, { data }) => ({ ...s, paid: data.pence - 1 }) })
      .step("ship", { send: (s) => ship({ orderId: s.orderId, pence: s.paid }), done: parcels.sent });
    const { t } = await play({ saga: made as never });
    await placed(t);
    expect(await held(t)).toEqual([100, 0, 99]);
  });
});

describe("a reply", () => {
  itHere(
    "counts only for the command that it replies to: an event of the same type and key from elsewhere does not",
    async () => {
      const { t, status, history } = await play({ fates: on("reserve", "throws") });
      await t.app.publish(orders.placed(order));
      await t.until(async () => (await history()).includes("sent reserve"));
      await t.app.publish([stock.reserved(order), stock.shortage(order)]);
      await t.rest();
      expect(await status()).toBe("stuck");
      expect(await history()).not.toContain("done reserve");
    },
  );

  it("that comes twice changes nothing", async () => {
    const { t, history } = await play();
    await placed(t);
    const before = await history();
    const { events } = await t.running.engine.inspect.events({ type: "payment.taken", limit: 1 });
    const [reply] = events;
    if (reply === undefined) throw new Error("there is no reply");
    // As a relay does it: the same event again, at a new place.
    await t.running.engine.log.append([
      { ...reply, id: `${reply.id}-again`, data: JSON.stringify(reply.data), named: true, offset: -1 },
    ]);
    await t.app.publish(orders.placed({ ...order, orderId: "o-2" }));
    await t.rest();
    expect(reply.headers?.replyto).toBe("saga-fulfilment/pay/do/1/o-1");
    expect(await history()).toEqual(before);
  });

  itHere("is what the command's own handler publishes, and nothing that follows from it", async () => {
    const made = ending(begin().step("pay", paid).step("ship", shipped));
    const notes = topic("notes", {
      key: "orderId",
      events: { made: event("note.made", z.object({ orderId: z.string() })) },
    });
    const noting = service("noting").on(payments.taken, { emits: [notes.made, reserve] }, ({ data }, ctx) => {
      ctx.publish(notes.made({ orderId: data.orderId }));
      ctx.send(reserve(data));
    });
    const t = await trial([...shop({ saga: made }), noting]);
    await placed(t);
    const replyTo = async (type: string) =>
      (await t.running.engine.inspect.events({ type, limit: 10 })).events.map(({ headers }) => headers?.replyto);
    expect(await replyTo("payment.taken")).toEqual(["saga-fulfilment/pay/do/1/o-1"]);
    expect(await replyTo("note.made")).toEqual([undefined]);
    expect(await replyTo("reserve")).toEqual([undefined]);
    expect(await replyTo("stock.reserved")).toEqual([undefined]);
  });

  it("to an earlier try does not count for the present one", async () => {
    const made = ending(begin().step("pay", { ...paid, retry: { attemptsMax: 2, backoffFirst: "1s" } }));
    const { t, status, runs } = await play({
      saga: made,
      fates: (type, _, run) => (type !== "pay" ? "done" : run === 1 ? "failed" : run < 5 ? "throws" : "done"),
    });
    await placed(t);
    await t.until(() => runs().filter((run) => run === "pay").length === 2);
    const [reply] = (await t.running.engine.inspect.events({ type: "payment.declined", limit: 1 })).events;
    if (reply === undefined) throw new Error("there is no reply");
    const copy = { ...reply, id: `${reply.id}-again`, data: JSON.stringify(reply.data), named: true, offset: -1 };
    await t.running.engine.log.append([copy]);
    await t.rest();
    expect(await status()).toBe("completed");
  });

  it("may come later than its command: what the handler sets a timer for replies, too", async () => {
    const made = ending(begin().step("pay", paid));
    const later = service("later").handle(pay, { emits: [payments.taken] }, ({ data }, ctx) =>
      ctx.after("1h", payments.taken(data)),
    );
    const refunding = later.handle(refund, () => undefined);
    const t = await trial([service("orders").owns(orders, outcomes, made), refunding]);
    await placed(t);
    expect((await t.app.saga(made).get("o-1"))?.status).toBe("running");
    await t.clock.advance(3_600_001);
    await t.rest();
    expect((await t.app.saga(made).get("o-1"))?.status).toBe("completed");
  });
});

itHere("starts a saga of its own with a command of another one, whose end is the reply", async () => {
  const Batch = z.object({ orderId: z.string(), pence: z.int() });
  const place = command("place", Batch, { key: "orderId" });
  const batches = topic("batches", {
    key: "orderId",
    events: { begun: event("batch.begun", Batch) },
  });
  const outer = saga("outer", { startsOn: batches.begun, key: "orderId", state: ({ data }) => data }).step("place", {
    send: (s) => place(s),
    done: outcomes.confirmed,
    failed: outcomes.failed,
  });
  const inner = fulfilment();
  const services = shop({ saga: inner });
  services[0]?.handle(place, { emits: [orders.placed] }, ({ data }, ctx) => ctx.publish(orders.placed(data)));
  const t = await trial([...services, service("batching").owns(batches, outer)]);
  await t.app.publish(batches.begun(order));
  await t.rest();
  expect((await t.app.saga(inner).get("o-1"))?.status).toBe("completed");
  expect((await t.app.saga(outer).get("o-1"))?.status).toBe("completed");
});

it("keeps its timers when its consumer is moved back: what it has heard it does not hear again", async () => {
  const { t, status, runs } = await play({ fates: on("reserve", "silent") });
  await placed(t);
  const act = { actor: "ada", reason: "a test", at: t.clock.now() };
  const seek = { consumer: "orders.fulfilment", to: { type: "beginning" }, mute: false } as const;
  const { lanes } = await t.running.engine.operate.seek(seek, act);
  await t.running.changed({ lanes, amended: true, leases: true });
  await t.rest();
  expect([await status(), runs()]).toEqual(["running", ["pay", "reserve"]]);
  await t.clock.advance(600_000);
  await t.rest();
  expect([await status(), runs()]).toEqual(["aborted", ["pay", "reserve", "refund"]]);
});

itHere("lets nobody outside say to whom an event replies", async () => {
  const { t, history } = await play({ fates: on("reserve", "silent") });
  await placed(t);
  const options = { headers: { replyto: "saga-fulfilment/reserve/do/1/o-1" } };
  await expect(t.app.publish(stock.reserved(order), options as never)).rejects.toMatchObject({
    code: "OPTION_INVALID",
  });
  await t.app.publish(stock.reserved(order), { actor: "saga-fulfilment/reserve/do/1/o-1" });
  await t.rest();
  expect(await history()).not.toContain("done reserve");
});

it("is removed a while after its end", async () => {
  const made = saga("fulfilment", {
    startsOn: orders.placed,
    key: "orderId",
    state: ({ data }) => data,
    keep: "2h",
  }).step("pay", paid);
  const { t, status } = await play({ saga: made });
  await placed(t);
  await t.clock.advance(7_000_000);
  await t.rest();
  expect(await status()).toBe("completed");
  await t.clock.advance(300_000);
  await t.rest();
  expect(await status()).toBeUndefined();
  expect(await t.running.engine.store.nextTimer()).toBeUndefined();
});
