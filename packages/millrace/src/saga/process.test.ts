import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";
import { process } from "./process.js";

afterEach(endTrials);

const Bid = z.object({ lotId: z.string(), pence: z.int() });
const lots = topic("lots", {
  key: "lotId",
  partitions: 3,
  events: { bid: event("lot.bid", Bid), opened: event("lot.opened", z.object({ lotId: z.string() })) },
});
const sales = topic("sales", {
  key: "lotId",
  events: { sold: event("sale.sold", Bid), failed: event("sale.failed", Bid) },
});
const charge = command("charge", Bid, { key: "lotId" });
const charged = documents("charged", Bid, { id: "lotId" });

/** An auction: the highest bid is charged a while after the last one; when that is refused, the one before it. */
const auction = () =>
  process("auction", {
    key: "lotId",
    hears: [lots.bid, lots.opened],
    emits: [charge, sales.sold, sales.failed],
    initialState: () => ({ lotId: "", bids: [] as readonly number[] }),
    decide: (input, state) => {
      switch (input.type) {
        case "lot.bid":
          return [{ after: "1m", wake: "quiet" }];
        case "process.woken":
          return [charge({ lotId: state.lotId, pence: state.bids[0] ?? 0 })];
        case "process.answered": {
          const [, next] = state.bids;
          if (next === undefined) return [sales.failed({ lotId: state.lotId, pence: 0 }), { end: true }];
          return [charge({ lotId: state.lotId, pence: next })];
        }
        default:
          return [];
      }
    },
    evolve: (state, input) => {
      if (input.type === "process.answered") return { ...state, bids: state.bids.slice(1) };
      if (input.type !== "lot.bid") return state;
      return { lotId: input.data.lotId, bids: [...state.bids, input.data.pence].sort((a, b) => b - a) };
    },
    keep: "1d",
  });

const services = (made = auction(), refusedFrom = Number.POSITIVE_INFINITY) => [
  service("selling").owns(lots, sales, made),
  service("charging").handle(charge, ({ data }, ctx) => {
    if (data.pence === 13) throw new Failure("EVENT_REJECTED", "an unlucky number");
    if (data.pence >= refusedFrom) return { refused: "TOO_MUCH" };
    ctx.documents(charged).put(data);
    return undefined;
  }),
];
const bid = (pence: number, lotId = "l-1") => lots.bid({ lotId, pence });

it("decides commands, is woken when it asked for it, and hears what becomes of its commands", async () => {
  const made = auction();
  const t = await trial(services(made, 50));
  for (const pence of [10, 60, 50, 40]) await t.app.publish(bid(pence));
  await t.rest();
  const read = () => t.app.documents(made.documents).get("l-1");
  expect(await read()).toMatchObject({ status: "running", state: { bids: [60, 50, 40, 10] }, sent: 0 });
  await t.clock.advance(59_000);
  await t.rest();
  expect((await read())?.sent).toBe(0);
  await t.clock.advance(60_000);
  await t.rest();
  expect(await t.app.documents(charged).get("l-1")).toEqual({ lotId: "l-1", pence: 40 });
  expect((await read())?.history.map(({ type }) => type)).toEqual([
    ...Array.from({ length: 4 }, () => "lot.bid"),
    "process.woken",
    "process.answered",
    "process.answered",
  ]);
});

it("hears of a command that dies, ends, and is removed a while after", async () => {
  const made = auction();
  const t = await trial(services(made));
  await t.app.publish(bid(13));
  await t.rest();
  await t.clock.advance(60_001);
  await t.rest();
  const { events } = await t.running.engine.inspect.events({ type: "sale.*", limit: 10 });
  expect(events.map(({ type }) => type)).toEqual(["sale.failed"]);
  const read = () => t.app.documents(made.documents).get("l-1");
  expect(await read()).toMatchObject({ status: "ended", wakes: {} });
  await t.app.publish(bid(99));
  await t.rest();
  expect(await read()).toMatchObject({ state: { bids: [] } });
  await t.clock.advance(86_400_000);
  await t.rest();
  expect(await read()).toBeUndefined();
});

it("is not begun by an event that makes it decide and learn nothing", async () => {
  const made = auction();
  const t = await trial(services(made));
  await t.app.publish(lots.opened({ lotId: "l-1" }));
  await t.rest();
  expect(await t.app.documents(made.documents).find({ status: "running" })).toEqual([]);
});

it("refuses what cannot work", () => {
  const options = {
    key: "lotId",
    hears: [lots.bid],
    emits: [],
    initialState: () => 0,
    decide: () => [],
    evolve: () => 0,
  } as const;
  expect(() => process("Auction", options)).toThrow(/"Auction" is not a name for a process/);
  expect(() => process("auction", { ...options, hears: [] })).toThrow(/hears nothing/);
  expect(() => process("auction", { ...options, key: "pence", decides: 1 } as never)).toThrow(/did you mean decide/);
  const other = topic("others", { key: "id", events: { seen: event("other.seen", z.object({ id: z.string() })) } });
  expect(() => process("auction", { ...options, hears: [other.seen] } as never)).toThrow(
    /other\.seen has no field "lotId"/,
  );
});

it("sets an event aside whose decision or state cannot be used, and says why", async () => {
  const wrong = {
    "is no list": { decide: () => 42 },
    "no list of commands": { decide: () => [null] },
    "for lot.bid is a promise": { decide: async () => [] },
    "the state that evolve returned for lot.bid is a promise": { evolve: async (state: unknown) => state },
  };
  for (const [why, functions] of Object.entries(wrong)) {
    const auction = process("wrong", {
      ...{ key: "lotId", hears: [lots.bid], emits: [] },
      ...{ initialState: () => ({}), decide: () => [], evolve: (state: object) => state },
      ...(functions as object),
    });
    const t = await trial([service("auction").owns(lots, auction)]);
    await t.app.publish(lots.bid({ lotId: "l-1", pence: 100 }));
    await t.rest();
    const [letter] = await t.entries();
    expect(letter?.failure).toMatchObject({ code: "DECISION_INVALID", message: expect.stringContaining(why) });
  }
});

/** What must compile does, and what must not does not. Nothing of it runs. */
export function typed(): void {
  process("typed", {
    key: "lotId",
    hears: [lots.bid],
    emits: [charge],
    initialState: () => ({ pence: 0 }),
    decide: (input, state) =>
      input.type === "lot.bid"
        ? [
            charge({ lotId: input.data.lotId, pence: state.pence satisfies number }),
            { after: "1s", message: charge(input.data) },
          ]
        : [],
    evolve: (state, input) => (input.type === "charge" ? { pence: input.data.pence } : state),
  });
  process("typed", {
    key: "lotId",
    hears: [lots.bid],
    emits: [charge],
    initialState: () => ({ pence: 0 }),
    // @ts-expect-error it decides what it does not list
    decide: (input) => (input.type === "lot.bid" ? [sales.sold(input.data)] : []),
    evolve: (state) => state,
  });
}
