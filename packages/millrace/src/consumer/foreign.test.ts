import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import { partitionOf } from "../log/murmur2.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const Placed = z.object({ orderId: z.string(), pence: z.int() });
const partitions = 3;
const orders = topic("orders", {
  key: "orderId",
  partitions,
  events: { placed: event("order.placed", Placed), noted: event("order.noted", Placed) },
});
const heard: string[] = [];
afterEach(() => void heard.splice(0));
const listening = () =>
  service("listening").on(orders.placed, ({ data }) => {
    heard.push(data.orderId);
  });

let made = 0;
/** A record as another program writes it: whatever it likes. */
function foreign(key: string, data: string | Uint8Array, more: Partial<NewRecord> = {}): NewRecord {
  made += 1;
  return {
    topic: "orders",
    partition: partitionOf(key, partitions),
    id: `foreign-${made}`,
    source: "other-program",
    type: "order.placed",
    version: 1,
    key,
    time: 1_000,
    correlationId: undefined,
    causationId: undefined,
    hops: 0,
    headers: undefined,
    data,
    named: false,
    offset: -1,
    ...more,
  };
}
const good = (key: string) => foreign(key, JSON.stringify({ orderId: key, pence: 1 }));
const append = (t: Trial, ...records: NewRecord[]) => t.running.engine.log.append(records);
const utf8 = (text: string) => new TextEncoder().encode(text);

describe("an event that another program wrote", () => {
  it("is handled when it is right, with its own identity", async () => {
    const seen: unknown[] = [];
    const t = await trial([service("listening").on(orders.placed, (placed) => void seen.push({ ...placed }))]);
    await append(t, {
      ...good("a"),
      headers: { actor: "ann", sequence: 7 },
      correlationId: "c",
      causationId: "b",
      hops: 3,
    });
    await t.rest();
    expect(seen).toMatchObject([
      {
        source: "other-program",
        id: `foreign-${made}`,
        correlationId: "c",
        causationId: "b",
        hops: 3,
        actor: "ann",
        sequence: 7,
        time: new Date(1_000),
        topic: "orders",
        version: 1,
      },
    ]);
  });

  it("is handled when its JSON is bytes, also over several lines", async () => {
    const t = await trial([listening()]);
    const pretty = JSON.stringify({ orderId: "b", pence: 1, note: "a\nb" }, undefined, 2);
    await append(t, foreign("a", utf8('{"orderId":"a","pence":1}')), foreign("b", utf8(pretty)));
    await t.rest();
    expect(heard).toEqual(["a", "b"]);
    expect(await t.entries()).toEqual([]);
  });

  it.each([
    ["is not UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), "RECORD_UNDECODABLE"],
    ["is not JSON", utf8("{orderId: a}"), "RECORD_UNDECODABLE"],
    ["is cut off", utf8('{"orderId":"a","pen'), "RECORD_UNDECODABLE"],
    ["is empty", new Uint8Array(0), "RECORD_UNDECODABLE"],
    [
      "is nested too deeply to be written again",
      utf8(`${"[".repeat(50_000)}${"]".repeat(50_000)}`),
      "RECORD_UNDECODABLE",
    ],
  ] as const)("that %s is a dead letter with its raw bytes", async (_, bytes, code) => {
    const t = await trial([listening()], { dir: tempFolder() });
    await append(t, foreign("a", bytes), good("b"));
    await t.rest();
    expect(heard).toEqual(["b"]);
    const letter = { state: "dead", attempt: 1, failure: { code }, record: { key: "a", data: undefined } };
    expect(await t.entries()).toMatchObject([letter]);
    const again = await t.again([listening()]);
    const [kept] = await again.entries();
    expect(kept).toMatchObject(letter);
    expect([...(kept?.record.bytes ?? [])]).toEqual([...bytes]);
  });

  it.each([
    ["does not fit its contract", '{"orderId":"a","pence":"much"}', /\/pence/],
    ["lacks its key field", '{"pence":1}', /orderId/],
    ["is no object", "7", /./],
    ["is null", "null", /./],
  ])("that %s is a dead letter that says where and why", async (_, data, message) => {
    const t = await trial([listening()]);
    await append(t, foreign("a", data), good("b"));
    await t.rest();
    expect(heard).toEqual(["b"]);
    expect(await t.entries()).toMatchObject([
      {
        state: "dead",
        attempt: 1,
        failure: { code: "CONTRACT_REJECTED", message: expect.stringMatching(message) },
        record: { data: JSON.parse(data), bytes: undefined },
      },
    ]);
  });

  it("cannot change an object's prototype, or hide a bomb", async () => {
    const deep = `${'{"a":'.repeat(100)}1${"}".repeat(100)}`;
    const t = await trial([listening()]);
    await append(
      t,
      foreign("proto", '{"orderId":"proto","pence":1,"__proto__":{"admin":true}}'),
      foreign("carrier", '{"orderId":"carrier","pence":1,"constructor":{"prototype":{"admin":true}}}'),
      foreign("deep", `{"orderId":"deep","pence":1,"more":${deep}}`),
      good("b"),
    );
    await t.rest();
    expect(heard).toEqual(["b"]);
    const entries = await t.entries();
    expect(entries.map((entry) => entry.record.key)).toEqual(["proto", "carrier", "deep"]);
    for (const entry of entries) expect(entry).toMatchObject({ state: "dead", failure: { code: "PAYLOAD_LIMIT" } });
    expect((Object.prototype as { admin?: boolean }).admin).toBeUndefined();
  });

  it("passes by when nobody subscribed to its type, and the frontier reaches the end", async () => {
    const t = await trial([listening()]);
    const others = Array.from({ length: 700 }, (_, n) => foreign(`k${n}`, "{}", { type: "order.archived" }));
    await append(t, ...others.slice(0, 350), good("a"), ...others.slice(350));
    await t.app.publish(orders.noted({ orderId: "b", pence: 1 }));
    await t.rest();
    await t.until(async () => (await standing(t)).lagRecords === 0);
    expect(heard).toEqual(["a"]);
    const { positions } = await standing(t);
    expect(positions.map((position) => [position.frontier, position.finished])).toEqual(
      positions.map((position) => [position.end, []]),
    );
  });
});

async function standing(t: Trial) {
  const [view] = await t.running.engine.inspect.consumers(t.clock.now());
  if (view === undefined) throw new Error("the test has no consumer");
  return view;
}

describe("an event of a newer version", () => {
  const newer = () => foreign("a", '{"orderId":"a","pounds":1}', { version: 2 });

  it("is parked, never dies, holds its key, and is handled by a newer program after a restart", async () => {
    const t = await trial([listening()], { dir: tempFolder() });
    await append(t, newer(), good("a"), good("b"));
    await t.until(async () => (await t.entries())[0]?.attempt === 12);
    expect(heard).toEqual(["b"]);
    expect((await t.entries()).map((entry) => [entry.state, entry.failure?.code])).toEqual([
      ["parked", "CONTRACT_NEWER"],
      ["following", undefined],
    ]);
    const Newer = z.object({ orderId: z.string(), pounds: z.int().optional(), pence: z.int().optional() });
    const placed = event("order.placed", Newer, { version: 2 });
    const renewed = topic("orders", { key: "orderId", partitions, events: { placed } });
    const seen: unknown[] = [];
    const again = await t.again([
      service("listening").on(renewed.placed, ({ data, version }) => void seen.push([version, data.pounds ?? 0])),
    ]);
    await again.rest();
    expect(seen).toEqual([
      [2, 1],
      [1, 0],
    ]);
    expect(await again.entries()).toEqual([]);
  });
});

describe("a handler that waits for a cause", () => {
  it("is run again until the cause has come, however long that takes, and never dies of it", async () => {
    const ship = command("ship", z.object({ orderId: z.string() }), { key: "orderId" });
    let come = false;
    let runs = 0;
    const t = await trial([
      service("shipping").handle(ship, { retry: { attemptsInPlace: 3, attemptsMax: 2 } }, ({ data }) => {
        runs += 1;
        if (!come) throw new Failure("NOT_YET", `order ${data.orderId} has not been placed yet`);
      }),
    ]);
    const { id } = await t.app.send(ship({ orderId: "a" }));
    await t.until(async () => (await t.entries())[0]?.attempt === 10);
    expect(await t.entries()).toMatchObject([{ state: "parked", failure: { code: "NOT_YET" } }]);
    expect(runs).toBe(10);
    come = true;
    await t.rest();
    expect(await t.entries()).toEqual([]);
    expect(await t.running.engine.inspect.operation(id)).toMatchObject({ state: "committed" });
  });

  it("has all its attempts left when it fails after it has waited, also after a restart and a redrive", async () => {
    const ship = command("ship", z.object({ orderId: z.string() }), { key: "orderId" });
    let ends: "waits" | "fails" = "waits";
    let failed = 0;
    const shipping = service("shipping").handle(ship, { retry: { attemptsInPlace: 1, attemptsMax: 3 } }, () => {
      if (ends === "waits") throw new Failure("NOT_YET", "not placed yet");
      failed += 1;
      throw new Error("no van");
    });
    let t = await trial([shipping], { dir: tempFolder() });
    await t.app.send(ship({ orderId: "a" }));
    await t.until(async () => (await t.entries())[0]?.attempt === 10);
    ends = "fails";
    await t.until(() => failed === 1);
    ends = "waits";
    await t.until(async () => (await t.entries())[0]?.attempt === 13);
    t = await t.again([shipping]);
    ends = "fails";
    await t.rest();
    expect(failed).toBe(3);
    const [dead] = await t.entries();
    expect(dead).toMatchObject({ state: "dead", attempt: 15, failure: { message: "no van", failures: 3 } });
    await t.running.engine.operate.redrive([dead?.entry as number], { actor: "ann", reason: "vans", at: 0 });
    await t.running.lanesChanged([{ consumer: "shipping", lane: dead?.lane as string }]);
    await t.rest();
    expect(failed).toBe(6);
  });
});
