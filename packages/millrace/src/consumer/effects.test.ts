import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

const orders = topic("orders", {
  key: "orderId",
  events: { placed: event("order.placed", z.object({ orderId: z.string(), pence: z.int() })) },
});
const payments = topic("payments", {
  key: "orderId",
  events: { authorised: event("payment.authorised", z.object({ orderId: z.string(), pence: z.int() })) },
});
const ship = command("ship", z.object({ orderId: z.string() }), { key: "orderId" });
const accounts = documents("accounts", z.object({ id: z.string(), spent: z.int() }), { id: "id" });
const emits = [payments.authorised, ship] as const;
type Ctx = Context<"payment.authorised" | "ship">;

/** Every kind of effect there is. */
function allEffects(ctx: Ctx, orderId: string, pence = 5) {
  ctx.documents(accounts).put({ id: orderId, spent: pence });
  ctx.publish(payments.authorised({ orderId, pence }));
  ctx.send(ship({ orderId }));
  ctx.after("1h", ship({ orderId }), { name: `late-${orderId}` });
  ctx.sql`INSERT INTO paid(id, pence) VALUES (${orderId}, ${pence})`;
}

/** What of them is stored. */
async function stored({ app, running }: Trial, orderId: string) {
  const { inspect, store } = running.engine;
  const { events } = await inspect.events({ key: orderId, limit: 100 });
  return {
    document: await app.documents(accounts).get(orderId),
    types: events.map((found) => found.type).filter((type) => type !== "order.placed"),
    timer: (await store.nextTimer()) !== undefined,
    rows: (await app.query`SELECT * FROM paid WHERE id = ${orderId}`).length,
  };
}

const nothing = { document: undefined, types: [], timer: false, rows: 0 };
const shipping = service("shipping").handle(ship, () => {});
const paying = (handler: (orderId: string, ctx: Ctx, pence: number) => void | Promise<void>, attempts = 1) =>
  service("paying")
    .migrations({ one: "CREATE TABLE paid(id TEXT, pence INTEGER)" })
    .on(orders.placed, { emits, retry: { attemptsMax: attempts, attemptsInPlace: attempts } }, ({ data }, ctx) =>
      handler(data.orderId, ctx, data.pence),
    );

describe("a unit of work", () => {
  it("commits everything that its handler asked for", async () => {
    const t = await trial([paying((orderId, ctx) => allEffects(ctx, orderId)), shipping]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    expect(await stored(t, "a")).toEqual({
      document: { id: "a", spent: 5 },
      types: ["payment.authorised", "ship"],
      timer: true,
      rows: 1,
    });
  });

  it("commits nothing when its handler throws after asking for everything", async () => {
    const t = await trial([
      paying((orderId, ctx) => {
        allEffects(ctx, orderId);
        throw new Error("no");
      }),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    expect(await stored(t, "a")).toEqual(nothing);
    expect(await t.entries()).toMatchObject([{ state: "dead", record: { key: "a" } }]);
  });

  it("commits nothing when one of its effects cannot be stored, and the others of its group are not touched", async () => {
    const t = await trial([
      paying((orderId, ctx) => {
        allEffects(ctx, orderId);
        if (orderId === "bad") ctx.sql`INSERT INTO no_such_table VALUES (1)`;
      }),
      shipping,
    ]);
    await t.app.publish(["a", "bad", "b"].map((orderId) => orders.placed({ orderId, pence: 1 })));
    await t.rest();
    expect(await stored(t, "bad")).toEqual({ ...nothing, timer: true });
    for (const good of ["a", "b"])
      expect(await stored(t, good)).toMatchObject({
        document: { spent: 5 },
        types: ["payment.authorised", "ship"],
        rows: 1,
      });
    expect(await t.entries()).toMatchObject([{ state: "dead", attempt: 1, failure: { code: "STATEMENT_FAILED" } }]);
  });

  it("keeps the effects of the last run only, when earlier runs threw", async () => {
    const t = await trial([
      paying((orderId, ctx) => {
        allEffects(ctx, orderId, ctx.attempt);
        if (ctx.attempt < 3) throw new Error("not now");
      }, 3),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    expect(await stored(t, "a")).toMatchObject({
      document: { spent: 3 },
      types: ["payment.authorised", "ship"],
      rows: 1,
    });
    expect(await t.entries()).toEqual([]);
  });

  it("publishes the same ids when it is run again, and new ones for another event", async () => {
    const ids: string[][] = [];
    const t = await trial([
      paying((_, ctx) => {
        ids.push([ctx.id(), ctx.id(), String(ctx.random()), ctx.idempotencyKey]);
        if (ctx.attempt === 1) throw new Error("again");
      }, 2),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    await t.app.publish(orders.placed({ orderId: "b", pence: 1 }));
    await t.rest();
    const [first, again, other] = ids as [string[], string[], string[]];
    expect(again).toEqual(first);
    expect(new Set([...first, ...other]).size).toBe(8);
  });

  it("makes what it publishes a part of the flow that caused it", async () => {
    const t = await trial([paying((orderId, ctx) => allEffects(ctx, orderId)), shipping]);
    const { id } = await t.app.publish(orders.placed({ orderId: "a", pence: 1 }), { actor: "ann" });
    await t.rest();
    const { events } = await t.running.engine.inspect.events({ type: "payment.authorised", limit: 9 });
    expect(events).toMatchObject([
      { source: "paying", correlationId: id, causationId: id, hops: 1, headers: { actor: "ann" }, key: "a" },
    ]);
    expect(events[0]?.id.slice(0, 13)).toBe(id.slice(0, 13));
  });

  it("lets a handler read what it wrote itself, and see it gone when it deleted it", async () => {
    const seen: unknown[] = [];
    const t = await trial([
      paying(async (orderId, ctx) => {
        const mine = ctx.documents(accounts);
        mine.put({ id: orderId, spent: 1 });
        mine.put({ id: orderId, spent: 2 });
        seen.push(await mine.get(orderId));
        mine.delete(orderId);
        seen.push(await mine.get(orderId));
        mine.put({ id: orderId, spent: 3 });
      }),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    expect(seen).toEqual([{ id: "a", spent: 2 }, undefined]);
    expect(await t.app.documents(accounts).get("a")).toEqual({ id: "a", spent: 3 });
  });
});

describe("a context", () => {
  it("is closed when its handler has returned: what an un-awaited promise does later throws and changes nothing", async () => {
    const late: Promise<unknown>[] = [];
    const uses: ((ctx: Ctx) => unknown)[] = [
      (ctx) => ctx.publish(payments.authorised({ orderId: "a", pence: 1 })),
      (ctx) => ctx.send(ship({ orderId: "a" })),
      (ctx) => ctx.after("1s", ship({ orderId: "a" })),
      (ctx) => ctx.cancel("x"),
      (ctx) => ctx.documents(accounts),
      (ctx) => ctx.sql`DELETE FROM paid`,
      (ctx) => ctx.id(),
      (ctx) => ctx.random(),
    ];
    const t = await trial([
      paying((_, ctx) => {
        const kept = ctx.documents(accounts);
        const effect = ctx.sql`DELETE FROM paid WHERE id = ${"nobody"}`;
        const more = [
          () => kept.put({ id: "a", spent: 1 }),
          () => kept.delete("a"),
          () => kept.get("a"),
          () => kept.find({ id: "a" }),
          () => effect.rows(7),
        ];
        for (const use of [...uses.map((one) => () => one(ctx)), ...more])
          late.push(
            turn()
              .then(use)
              .then(
                () => "nothing was thrown",
                (error: { code?: string }) => error.code,
              ),
          );
      }),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    expect(await Promise.all(late)).toEqual(new Array(uses.length + 5).fill("CONTEXT_CLOSED"));
    expect(await stored(t, "a")).toEqual(nothing);
    expect(await t.entries()).toEqual([]);
  });

  it("of an earlier event that a handler kept is closed too, and stops the consumer that uses it", async () => {
    let kept: Ctx | undefined;
    const t = await trial([
      paying((orderId, ctx) => {
        kept ??= ctx;
        kept.publish(payments.authorised({ orderId, pence: 1 }));
      }),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    await t.app.publish(orders.placed({ orderId: "b", pence: 1 }));
    await t.until(() => t.status("paying").state === "stopped");
    expect(t.status("paying").failure).toMatchObject({ code: "CONTEXT_CLOSED" });
    expect((await stored(t, "b")).types).toEqual([]);
  });

  it("refuses to publish what the handler does not declare, and stops the consumer, naming both", async () => {
    const careless = service("careless").on(orders.placed, ({ data }, ctx) => {
      (ctx as unknown as Ctx).publish(payments.authorised({ orderId: data.orderId, pence: 1 }));
    });
    const t = await trial([careless, service("owner").owns(payments)]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.until(() => t.status("careless").state === "stopped");
    expect(t.status("careless").failure).toMatchObject({
      code: "CONTRACT_UNKNOWN",
      message: expect.stringMatching(/careless.*payment\.authorised.*emits/),
    });
  });

  it("refuses wrong data, which makes the event a dead letter with the path and the reason", async () => {
    const t = await trial([
      paying((orderId, ctx) => ctx.publish(payments.authorised({ orderId, pence: 1.5 })), 5),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    expect(await t.entries()).toMatchObject([
      { state: "dead", attempt: 1, failure: { code: "CONTRACT_REJECTED", message: expect.stringContaining("/pence") } },
    ]);
  });

  it("refuses a document that does not fit, which makes the event a dead letter", async () => {
    const t = await trial([
      paying((orderId, ctx) => ctx.documents(accounts).put({ id: orderId, spent: "much" as unknown as number }), 5),
      shipping,
    ]);
    await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
    await t.rest();
    expect(await t.entries()).toMatchObject([
      { state: "dead", attempt: 1, failure: { code: "DOCUMENT_REJECTED", message: expect.stringContaining("/spent") } },
    ]);
  });
});

it("finds after a restart what was committed before, and handles nothing again", async () => {
  const dir = tempFolder();
  const t = await trial([paying((orderId, ctx) => allEffects(ctx, orderId)), shipping], { dir });
  await t.app.publish(orders.placed({ orderId: "a", pence: 1 }));
  await t.rest();
  const before = await stored(t, "a");
  const again = await t.again([paying(() => expect.unreachable("it was handled before the restart")), shipping]);
  await again.rest();
  expect(await stored(again, "a")).toEqual(before);
});
