import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";
import type { Context } from "./handler.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), customerId: z.string().optional(), days: z.number().optional() });
const rolls = topic("rolls", { key: "key", events: { rolled: event("roll.rolled", shape) } });
const later = topic("later", { key: "key", events: { came: event("later.came", shape) } });
const Account = z.object({ id: z.string(), customerId: z.string().optional(), note: z.string().optional() });
const accounts = documents("accounts", Account, { id: "id", indexes: ["customerId"] });
type Ctx = Context<"later.came">;
type Roll = z.infer<typeof shape>;

const wrong: Readonly<Record<string, readonly [act: (ctx: Ctx, data: Roll) => unknown, message: string]>> = {
  "finds by an undefined field": [
    (ctx, { customerId }) => ctx.documents(accounts).find({ customerId } as { customerId: string }),
    "accounts: find({ customerId }) is undefined",
  ],
  "finds by an undefined field beside another": [
    (ctx, { customerId }) => ctx.documents(accounts).find({ customerId: "c", note: customerId } as { note: string }),
    "accounts: find({ note }) is undefined",
  ],
  "gets an undefined id": [(ctx, { customerId }) => ctx.documents(accounts).get(customerId as string), "an id is text"],
  "gets a number": [(ctx) => ctx.documents(accounts).get(7 as unknown as string), "not number"],
  "deletes an undefined id": [
    (ctx, { customerId }) => ctx.documents(accounts).delete(customerId as string),
    "an id is text, not undefined",
  ],
  "waits for a negative time": [(ctx) => ctx.after("-1d", later.came({ key: "a" })), "after: delay"],
  "waits for no number of days": [
    (ctx, { days }) => ctx.after(`${Number(days)}d`, later.came({ key: "a" })),
    "after: delay",
  ],
  "waits for a thousand years": [(ctx) => ctx.after("365000d", later.came({ key: "a" })), "after: delay"],
};

it.each(Object.entries(wrong))("a handler that %s fails its event alone", async (_, [act, message]) => {
  const handled: string[] = [];
  const game = service("game")
    .owns(later)
    .on(rolls.rolled, { emits: [later.came] }, async ({ data }, ctx) => {
      if (data.key === "bad") await act(ctx, data);
      handled.push(data.key);
    });
  const t = await trial([service("host").owns(rolls), game]);
  await t.app.publish(rolls.rolled({ key: "bad" }));
  await t.app.publish(rolls.rolled({ key: "good" }));
  await t.rest();
  expect([t.status("game").state, handled]).toEqual(["running", ["good"]]);
  expect(await t.entries()).toMatchObject([
    { state: "dead", attempt: 1, failure: { code: "EVENT_REJECTED", message: expect.stringContaining(message) } },
  ]);
});

it("a field that no index is declared for halts the consumer, with or without a value", async () => {
  const game = service("game").on(rolls.rolled, async ({ data }, ctx) => {
    await ctx.documents(accounts).find({ note: data.customerId } as { note: string });
  });
  const t = await trial([service("host").owns(rolls), game]);
  await t.app.publish(rolls.rolled({ key: "a" }));
  await t.until(() => t.status("game").state === "stopped");
  expect(t.status("game").failure).toMatchObject({ code: "INDEX_MISSING" });
});

it("the same outside handlers is the caller's fault", async () => {
  const t = await trial([service("host").owns(rolls)]);
  const read = t.app.documents(accounts);
  const nothing = undefined as unknown as string;
  await expect(read.find({ customerId: nothing })).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(read.get(nothing)).rejects.toMatchObject({ code: "OPTION_INVALID" });
  await expect(read.find({ note: "x" })).rejects.toMatchObject({ code: "INDEX_MISSING" });
});
