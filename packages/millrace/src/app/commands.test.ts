import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import { endTrials, gate, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const pay = command("pay", z.object({ orderId: z.string(), pence: z.int() }), { key: "orderId" });
const payments = topic("payments", {
  key: "orderId",
  events: { made: event("payment.made", z.object({ orderId: z.string() })) },
});
const accounts = documents("accounts", z.object({ id: z.string(), spent: z.int() }), { id: "id" });

interface Behaviour {
  readonly limit?: number;
  readonly before?: () => Promise<void>;
  readonly fail?: () => boolean;
}
let runs = 0;
const owner = ({ limit = 100, before, fail = () => false }: Behaviour = {}) =>
  service("cashier").handle(pay, { emits: [payments.made], retry: { attemptsMax: 2 } }, async ({ data }, ctx) => {
    runs += 1;
    await before?.();
    ctx.documents(accounts).put({ id: data.orderId, spent: data.pence });
    ctx.publish(payments.made({ orderId: data.orderId }));
    if (fail()) throw new Error("the bank is away");
    return data.pence > limit ? { refused: "LIMIT", detail: `at most ${limit}` } : undefined;
  });
afterEach(() => {
  runs = 0;
});

const order = (orderId: string, pence = 5) => pay({ orderId, pence });
const published = async (t: Trial) => (await t.running.engine.inspect.events({ topic: "payments", limit: 99 })).events;
/** Lets time pass until the promise has settled. */
async function answered<T>(t: Trial, asked: Promise<T>): Promise<T> {
  let done = false;
  const tell = () => {
    done = true;
  };
  asked.then(tell, tell);
  await t.until(() => done);
  return asked;
}

describe("a command that comes again days later", () => {
  const day = 86_400_000;
  /** Sets the clock on, and lets retention run. */
  async function wait(t: Trial, days: number): Promise<void> {
    t.clock.set(t.clock.now() + days * day);
    await t.clock.advance(125_000);
  }
  const handled = { waitFor: "handled" } as const;

  it("with its idempotency key is answered by its operation for 7 days, and is a new one after them", async () => {
    const t = await trial([owner()]);
    const again = () => t.app.send(order("a"), { ...handled, idempotency: { scope: "POST /pay", key: "k" } });
    const first = await answered(t, again());
    await wait(t, 6.9);
    expect(await answered(t, again())).toEqual(first);
    expect(runs).toBe(1);
    await wait(t, 0.2);
    expect((await answered(t, again())).id).not.toBe(first.id);
    expect(runs).toBe(2);
  });

  it("with its own id is answered by its operation for as long as the id is known, and never handled again", async () => {
    const t = await trial([owner()]);
    const again = () => t.app.send(order("a"), { ...handled, id: "invoice-1" });
    const first = await answered(t, again());
    expect(first).toMatchObject({ state: "committed" });
    await wait(t, 29);
    // The window counts in log time.
    await answered(t, t.app.send(order("b"), handled));
    await wait(t, 0);
    expect(await answered(t, again())).toEqual(first);
    expect(runs).toBe(2);
  });
});

describe("a command", () => {
  it("is handled by its owner, whose effects are committed with the answer", async () => {
    const t = await trial([owner()]);
    const operation = await answered(t, t.app.send(order("a"), { waitFor: "handled" }));
    expect(operation).toMatchObject({ command: "pay", key: "a", state: "committed", finished: expect.any(Number) });
    expect(await t.app.documents(accounts).get("a")).toEqual({ id: "a", spent: 5 });
    expect(await published(t)).toMatchObject([
      { key: "a", correlationId: operation.id, causationId: operation.id, hops: 1, source: "cashier" },
    ]);
  });

  it("is accepted as soon as it is on disk, whether its owner is at work or not", async () => {
    const closed = gate();
    const t = await trial([owner({ before: () => closed.opened })]);
    const operation = await answered(t, t.app.send(order("a")));
    expect(operation).toMatchObject({ state: "accepted", finished: undefined });
    closed.open();
    await t.rest();
    expect(await t.running.engine.inspect.operation(operation.id)).toMatchObject({ state: "committed" });
  });

  it("that its owner refuses leaves nothing but the answer", async () => {
    const t = await trial([owner()]);
    const operation = await answered(t, t.app.send(order("a", 500), { waitFor: "handled" }));
    expect(operation).toMatchObject({ state: "refused", refused: "LIMIT", detail: "at most 100" });
    expect(await t.app.documents(accounts).get("a")).toBeUndefined();
    expect(await published(t)).toEqual([]);
    expect(await t.entries()).toEqual([]);
  });

  it("that its owner cannot handle is failed, and committed once a redrive succeeds", async () => {
    let broken = true;
    const t = await trial([owner({ fail: () => broken })]);
    const operation = await answered(t, t.app.send(order("a"), { waitFor: "handled", timeout: "60s" }));
    expect(operation).toMatchObject({ state: "failed", detail: "Error" });
    broken = false;
    const [letter] = await t.entries();
    const act = { actor: "ann", reason: "the bank is back", at: t.clock.now() };
    const { lanes } = await t.running.engine.operate.redrive([letter?.entry as number], act);
    await t.running.lanesChanged(lanes);
    await t.rest();
    expect(await t.running.engine.inspect.operation(operation.id)).toMatchObject({ state: "committed" });
    expect(await published(t)).toHaveLength(1);
  });

  it("that was edited as a dead letter answers under its first operation", async () => {
    const t = await trial([owner({ fail: () => runs <= 2 })]);
    const operation = await answered(t, t.app.send(order("a", 500), { waitFor: "handled", timeout: "60s" }));
    expect(operation.state).toBe("failed");
    const [letter] = await t.entries();
    const act = { actor: "ann", reason: "a typo", at: t.clock.now() };
    const { operate } = t.running.engine;
    await operate.edit(
      { entry: letter?.entry as number, id: "mended", data: JSON.stringify({ orderId: "a", pence: 7 }), version: 1 },
      act,
    );
    const { lanes } = await operate.redrive([letter?.entry as number], act);
    await t.running.lanesChanged(lanes);
    await t.rest();
    expect(await t.running.engine.inspect.operation(operation.id)).toMatchObject({ state: "committed" });
    expect(await t.app.documents(accounts).get("a")).toEqual({ id: "a", spent: 7 });
  });

  it("comes back as it is when its answer takes longer than the caller waits", async () => {
    const closed = gate();
    const t = await trial([owner({ before: () => closed.opened })]);
    const operation = await answered(t, t.app.send(order("a"), { waitFor: "handled", timeout: "2s" }));
    expect(operation.state).toBe("accepted");
    closed.open();
    await t.rest();
    expect(await t.running.engine.inspect.operation(operation.id)).toMatchObject({ state: "committed" });
  });

  it("that nobody handles is refused at start when a handler sends it, and by send when it comes from outside", async () => {
    const sender = service("sender").on(payments.made, { emits: [pay] }, () => {});
    await expect(trial([sender])).rejects.toMatchObject({
      code: "CONTRACT_UNKNOWN",
      message: expect.stringMatching(/sender.*pay.*handle/),
    });
    const t = await trial([service("other").owns(payments)]);
    await expect(answered(t, t.app.send(order("a")))).rejects.toMatchObject({ code: "CONTRACT_UNKNOWN" });
  });

  it.each([
    [{ timeout: "soon" }, /timeout/],
    [{ waitFor: "done" }, /waitFor/],
  ])("sent with the wrong option %j is refused before anything is stored", async (options, message) => {
    const t = await trial([owner()]);
    await expect(t.app.send(order("a"), options as never)).rejects.toMatchObject({
      code: "OPTION_INVALID",
      message: expect.stringMatching(message),
    });
    await t.rest();
    expect(runs).toBe(0);
  });

  it("with wrong data is refused before anything is stored", async () => {
    const t = await trial([owner()]);
    const wrong = pay({ orderId: "a", pence: "five" as unknown as number });
    await expect(answered(t, t.app.send(wrong))).rejects.toMatchObject({
      code: "CONTRACT_REJECTED",
      message: expect.stringContaining("/pence"),
    });
    await expect(answered(t, t.app.send(order("")))).rejects.toMatchObject({ code: "CONTRACT_REJECTED" });
    expect((await t.running.engine.inspect.events({ limit: 9 })).events).toEqual([]);
  });
});

describe("an idempotency key", () => {
  const idempotency = { scope: "web", key: "k1" };

  it("makes a repeated command the same command, however often it comes", async () => {
    const t = await trial([owner()]);
    const sent = Array.from({ length: 50 }, () => t.app.send(order("a"), { idempotency, waitFor: "handled" }));
    const operations = await answered(t, Promise.all(sent));
    expect(new Set(operations.map((operation) => operation.id)).size).toBe(1);
    expect(operations.every((operation) => operation.state === "committed")).toBe(true);
    expect([runs, (await published(t)).length]).toEqual([1, 1]);
  });

  it("answers with the first outcome after a restart, too", async () => {
    const dir = tempFolder();
    const t = await trial([owner()], { dir });
    const first = await answered(t, t.app.send(order("a", 500), { idempotency, waitFor: "handled" }));
    const again = await t.again([owner({ limit: 1_000 })]);
    const second = await answered(again, again.app.send(order("a", 500), { idempotency, waitFor: "handled" }));
    expect(second).toEqual(first);
    expect(second).toMatchObject({ state: "refused", refused: "LIMIT" });
  });

  it("is refused for another request", async () => {
    const t = await trial([owner()]);
    await answered(t, t.app.send(order("a"), { idempotency }));
    await expect(answered(t, t.app.send(order("a", 6), { idempotency }))).rejects.toMatchObject({
      code: "IDEMPOTENCY_KEY_REUSED",
    });
    await t.rest();
    expect(runs).toBe(1);
  });

  it("of another scope is another key", async () => {
    const t = await trial([owner()]);
    const first = await answered(t, t.app.send(order("a"), { idempotency }));
    const other = await answered(t, t.app.send(order("a"), { idempotency: { ...idempotency, scope: "partner" } }));
    expect(other.id).not.toBe(first.id);
    await t.rest();
    expect(runs).toBe(2);
  });
});

describe("a command with an id of its sender's own", () => {
  it("is handled once, however often it is sent", async () => {
    const t = await trial([owner()]);
    const first = await answered(t, t.app.send(order("a"), { id: "order-a" }));
    const second = await answered(t, t.app.send(order("a"), { id: "order-a", waitFor: "handled" }));
    expect([first.id, second.id, second.state]).toEqual(["order-a", "order-a", "committed"]);
    expect(runs).toBe(1);
  });

  it("is refused when the id comes back with other content", async () => {
    const t = await trial([owner()]);
    await answered(t, t.app.send(order("a"), { id: "order-a" }));
    await expect(answered(t, t.app.send(order("a", 6), { id: "order-a" }))).rejects.toMatchObject({
      code: "EVENT_ID_REUSED",
    });
    await t.rest();
    expect(runs).toBe(1);
  });

  it("and a new idempotency key is still the same command, and takes nothing else of its group down", async () => {
    const t = await trial([owner()]);
    await answered(t, t.app.send(order("a"), { id: "order-a" }));
    await t.rest();
    const innocent = t.app.send(order("b"), { waitFor: "handled" });
    const again = t.app.send(order("a"), { id: "order-a", idempotency: { scope: "web", key: "new" } });
    expect(await answered(t, again)).toMatchObject({ id: "order-a", state: "committed" });
    expect(await answered(t, innocent)).toMatchObject({ state: "committed" });
    expect(runs).toBe(2);
  });
});
