import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { millrace } from "../main/millrace.js";
import { service } from "../service/declare.js";
import { type Harness, harness } from "./harness.js";
import { verify } from "./verify.js";

const Sale = z.object({ shop: z.string(), pence: z.int() });
const sales = topic("sales", {
  key: "shop",
  events: { made: event("sale.made", Sale), reminded: event("sale.reminded", Sale) },
});
const totals = documents("totals", z.object({ shop: z.string(), pence: z.int(), sales: z.int() }), { id: "shop" });
const sell = command("sell", Sale, { key: "shop" });

const desk = service("ledger")
  .owns(sales)
  .handle(sell, { emits: [sales.made, sales.reminded] }, ({ data }, ctx) => {
    if (data.pence <= 0) return { refused: "PRICE" };
    ctx.publish(sales.made(data));
    if (data.pence === 99) ctx.after("2h", sales.reminded(data), { name: `remind ${data.shop}` });
    return undefined;
  })
  .on(sales.made, async ({ data }, ctx) => {
    if (data.pence === 13) throw new Failure("EVENT_REJECTED", "thirteen is never right");
    const before = (await ctx.documents(totals).get(data.shop)) ?? { shop: data.shop, pence: 0, sales: 0 };
    ctx.documents(totals).put({ ...before, pence: before.pence + data.pence, sales: before.sales + 1 });
  });

const runs: Harness[] = [];
afterEach(async () => {
  for (const run of runs.splice(0)) await run.stop();
});
const start = async (...args: Parameters<typeof harness>) => {
  const run = await harness(...args);
  runs.push(run);
  return run;
};

describe("a harness", () => {
  it("runs an app as it was made, in memory: its own engine is left alone", async () => {
    const app = millrace({ services: [desk], engine: embedded("/proc/no-such-folder") });
    const run = await start(app);
    expect(await run.send(sell({ shop: "a", pence: 5 }))).toMatchObject({ state: "committed" });
    expect(await run.send(sell({ shop: "a", pence: 0 }))).toMatchObject({ state: "refused", refused: "PRICE" });
    await run.publish([sales.made({ shop: "a", pence: 2 }), sales.made({ shop: "b", pence: 3 })]);
    await run.atRest();
    expect((await run.events(sales.made)).map(({ key, data }) => [key, data.pence])).toEqual([
      ["a", 5],
      ["a", 2],
      ["b", 3],
    ]);
    expect(await run.events()).toHaveLength(5);
    expect(await run.documents(totals).get("a")).toEqual({ shop: "a", pence: 7, sales: 2 });
  });

  it("shows timers and dead letters, and lets virtual time pass up to them", async () => {
    const run = await start({ services: [desk] }, { start: new Date("2030-06-01T12:00:00Z") });
    await run.send(sell({ shop: "a", pence: 99 }));
    await run.publish(sales.made({ shop: "b", pence: 13 }));
    await run.atRest();
    const [timer] = await run.timers();
    expect(timer).toMatchObject({ service: "ledger", name: "remind a", type: "sale.reminded", data: { pence: 99 } });
    expect(Math.round(((timer?.due.getTime() ?? 0) - Date.parse("2030-06-01T14:00:00Z")) / 1_000)).toBe(0);
    expect(await run.deadLetters()).toEqual([
      {
        consumer: "ledger",
        type: "sale.made",
        key: "b",
        data: { shop: "b", pence: 13 },
        code: "EVENT_REJECTED",
        message: "thirteen is never right",
      },
    ]);
    await run.advance("1h");
    expect(await run.events(sales.reminded)).toEqual([]);
    await run.advance("2h");
    expect(await run.events(sales.reminded)).toHaveLength(1);
    expect(await run.timers()).toEqual([]);
  });

  it("refuses what is no app", async () => {
    await expect(harness({} as never)).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const run = await start({ services: [desk] });
    await run.stop();
    expect(() => run.app).toThrow("harness: it was stopped");
  });

  it("makes the same run from the same seed", async () => {
    const play = async (seed: number) => {
      const order: string[] = [];
      const heard = service("heard").on(sales.made, ({ key }) => void order.push(key));
      const run = await start({ services: [heard] }, { reorderAcrossKeys: true, seed });
      await run.publish("abcdefgh".split("").map((shop) => sales.made({ shop, pence: 1 })));
      await run.atRest();
      return order.join("");
    };
    const first = await play(7);
    expect(await play(7)).toBe(first);
    expect(await play(8)).not.toBe(first);
    expect([...first].sort().join("")).toBe("abcdefgh");
  });
});

describe("verify", () => {
  const scenario = async (run: Harness) => {
    await run.send(sell({ shop: "a", pence: 99 }));
    for (let n = 1; n <= 5; n += 1)
      await run.publish(["a", "b", "c"].map((shop) => sales.made({ shop, pence: n === 4 ? 13 : n })));
    await run.advance("1d");
    await run.atRest();
  };

  it("passes services whose effects are their own, through duplicates, other orders and crashes", async () => {
    expect((await verify({ services: [desk] }, scenario)).runs).toBe(15);
  }, 120_000);

  it("finds a handler that counts in memory", async () => {
    const counts = new Map<string, number>();
    const memory = service("ledger").on(sales.made, ({ data }, ctx) => {
      const sold = (counts.get(data.shop) ?? 0) + 1;
      counts.set(data.shop, sold);
      ctx.documents(totals).put({ shop: data.shop, pence: data.pence, sales: sold });
    });
    const play = async (run: Harness) => {
      counts.clear();
      await run.publish([sales.made({ shop: "a", pence: 1 }), sales.made({ shop: "b", pence: 1 })]);
      await run.atRest();
    };
    await expect(verify({ services: [memory] }, play)).rejects.toThrow(
      /^duplicateEverything changes the effects:\n {2}document ledger\/totals\/a\n {2}- .*"sales":1.*\n {2}\+ .*"sales":2/,
    );
  });

  it("finds a handler whose outcome depends on which key came first", async () => {
    const Winner = z.object({ id: z.string(), shop: z.string() });
    const winners = documents("winners", Winner, { id: "id" });
    const race = service("race").on(sales.made, async ({ key }, ctx) => {
      if ((await ctx.documents(winners).get("first")) === undefined)
        ctx.documents(winners).put({ id: "first", shop: key });
    });
    const play = async (run: Harness) => {
      await run.publish("abcdefgh".split("").map((shop) => sales.made({ shop, pence: 1 })));
      await run.atRest();
    };
    await expect(verify({ services: [race] }, play)).rejects.toThrow(
      /^reorderAcrossKeys, seed \d changes the effects:/,
    );
  });

  it("finds a call to the outside that is made again, and passes one that carries the idempotency key", async () => {
    let calls: string[] = [];
    const calling = service("calling").on(sales.made, (_, ctx) => void calls.push(ctx.idempotencyKey));
    const seen = (tell: () => unknown) => async (run: Harness) => {
      calls = [];
      await run.publish(sales.made({ shop: "a", pence: 1 }));
      await run.atRest();
      return tell();
    };
    const everyCall = seen(() => calls.length);
    await expect(verify({ services: [calling] }, everyCall)).rejects.toThrow(
      "what the scenario returned\n  - 1\n  + 2",
    );
    const crashesAlone = { duplicateEverything: false, reorderAcrossKeys: 0 };
    await expect(verify({ services: [calling] }, everyCall, crashesAlone)).rejects.toThrow(
      /^crashAfter 1 of \d commits/,
    );
    await verify(
      { services: [calling] },
      seen(() => new Set(calls).size),
    );
  });

  it("leaves out fields that may differ", async () => {
    let run = 0;
    const stamped = service("stamped").on(sales.made, ({ data }, ctx) => {
      run += 1;
      ctx.documents(totals).put({ ...data, sales: run });
    });
    const play = async (harnessed: Harness) => {
      await harnessed.publish(sales.made({ shop: "a", pence: 1 }));
      await harnessed.atRest();
    };
    await expect(verify({ services: [stamped] }, play)).rejects.toThrow("duplicateEverything");
    await verify({ services: [stamped] }, play, { ignore: ["sales"] });
  });
});
