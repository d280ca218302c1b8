import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { commandRoutes } from "../http/command-routes.js";
import { millrace } from "../main/millrace.js";
import { service } from "../service/declare.js";
import { endTrials, trial } from "../testing/trial.js";

afterEach(endTrials);

// What JavaScript passes on where TypeScript would complain.
const Order = z.object({ orderId: z.string() });
const placed = event("order.placed", Order);
const orders = topic("orders", { key: "orderId", events: { placed } });
const pay = command("pay", Order, { key: "orderId" });
const seller = service("seller")
  .owns(orders)
  .handle(pay, () => {});
const memory = () => embedded(":memory:");
const heard = (options: object) => () =>
  millrace({ services: [service("s").on(orders.placed, options as never, () => {})], engine: memory() });
const app = (options: object) => () => millrace({ services: [], engine: memory(), ...options });

describe("an option that does not exist", () => {
  it.each<[string, () => unknown, string, string]>([
    [
      "of an event",
      () => event("a.b", Order, { versoin: 2 } as never),
      "CONTRACT_INVALID",
      "a.b: … did you mean version?",
    ],
    [
      "of a command",
      () => command("a", Order, { key: "orderId", kye: "b" } as never),
      "CONTRACT_INVALID",
      "a: … did you mean key?",
    ],
    [
      "of a topic",
      () => topic("a", { key: "orderId", events: {}, partition: 3 } as never),
      "CONTRACT_INVALID",
      "topic a: … did you mean partitions?",
    ],
    [
      "of documents",
      () => documents("a", Order, { id: "orderId", index: [] } as never),
      "CONTRACT_INVALID",
      "documents a: … did you mean indexes?",
    ],
    ["of a subscription", heard({ concurency: 5 }), "OPTION_INVALID", "s, order.placed: … did you mean concurrency?"],
    [
      "of its retries",
      heard({ retry: { attemptMax: 5 } }),
      "OPTION_INVALID",
      "s, order.placed: retry: … did you mean attemptsMax?",
    ],
    ["of retries, misnamed", heard({ reties: {} }), "OPTION_INVALID", "s, order.placed: … did you mean retry?"],
    [
      "of a schedule",
      () => service("s").schedule("t", { cron: "* * * * *", mised: "all" } as never, () => pay({ orderId: "a" })),
      "OPTION_INVALID",
      "s: schedule t: … did you mean missed?",
    ],
    ["of the app", app({ enigne: memory() }), "OPTION_INVALID", "millrace: … did you mean engine?"],
    ["of its server", app({ http: { behindproxy: true } }), "OPTION_INVALID", "http: … did you mean behindProxy?"],
    [
      "of a route",
      app({ http: { routes: { "POST /a": { command: pay, form: () => {} } } } }),
      "OPTION_INVALID",
      'http.routes "POST /a": … did you mean from?',
    ],
    [
      "of mounted routes",
      () => commandRoutes(app({})(), { routes: {}, waits: "1s" } as never),
      "OPTION_INVALID",
      "commandRoutes: … did you mean wait?",
    ],
  ])("%s is refused, with the nearest one there is", (_, make, code, said) => {
    const [where = "", hint = ""] = said.split(" … ");
    expect(make).toThrow(expect.objectContaining({ code }));
    expect(make).toThrow(new RegExp(`^${where} there is no option .*; ${hint.replace("?", "\\?")}$`));
  });

  it("of a call outside handlers is refused, and nothing is stored", async () => {
    const t = await trial([seller]);
    const message = orders.placed({ orderId: "a" });
    const refused: [Promise<unknown>, RegExp][] = [
      [t.app.publish(message, { ID: "x" } as never), /publish: .*did you mean id\?/],
      [t.app.publish(message, "x" as never), /publish: options are an object, not "x"/],
      [t.app.send(pay({ orderId: "a" }), { waitfor: "handled" } as never), /send: .*did you mean waitFor\?/],
      [
        t.app.send(pay({ orderId: "a" }), { idempotency: { scope: "a", kee: "b" } } as never),
        /send: idempotency: .*key\?/,
      ],
    ];
    for (const [call, message] of refused)
      await expect(call).rejects.toMatchObject({ code: "OPTION_INVALID", message: expect.stringMatching(message) });
    expect((await t.running.engine.inspect.events({ limit: 10 })).events).toEqual([]);
  });
});

describe("an option of the wrong type", () => {
  it.each<[string, object, RegExp]>([
    ["an id", { id: 5 }, /^id is 5, which is not a string$/],
    ["an id that is null", { id: null }, /^id is null, which is not a string$/],
    ["an actor", { actor: { name: "ann" } }, /^actor is an object, which is not a string$/],
    [
      "an idempotency key",
      { idempotency: { scope: "a", key: 5 } },
      /^send: idempotency\.key is 5, which is not a string$/,
    ],
    ["an empty idempotency key", { idempotency: { scope: "a", key: "" } }, /^send: idempotency\.key takes 1 to 1,000/],
    ["an idempotency that is a key", { idempotency: "k" }, /^send: idempotency: options are an object, not "k"$/],
    ["a timeout", { waitFor: "handled", timeout: 5 }, /^send: timeout is 5, which is not a duration/],
  ])("is named: %s", async (_, options, message) => {
    const t = await trial([seller]);
    const sending = t.app.send(pay({ orderId: "a" }), options as never);
    await expect(sending).rejects.toMatchObject({ code: "OPTION_INVALID", message: expect.stringMatching(message) });
    expect((await t.running.engine.inspect.events({ limit: 10 })).events).toEqual([]);
  });

  it("is named where the engine's folder is no path", () => {
    for (const dir of [{ dir: "x" }, "", null])
      expect(() => embedded(dir as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("is named for `missed` of a schedule and `from` of a subscription", async () => {
    const ticking = service("s").schedule("t", { cron: "* * * * *", missed: "none" as never }, () =>
      pay({ orderId: "a" }),
    );
    await expect(millrace({ services: [seller, ticking], engine: memory() }).start()).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringContaining('missed is "last" or "all", not "none"'),
    });
    expect(heard({ from: "start" })).toThrow(/from is "beginning" or "end", not "start"/);
  });
});
