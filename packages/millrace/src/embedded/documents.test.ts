import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { OpenEngine } from "../engine/engine.js";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom, systemRandom } from "../runtime/random.js";
import { checkedService, ensureThings, readOf, thing, unitOf, writing } from "../testing/conformance/units.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { DocumentTables } from "./documents.js";
import { embedded } from "./embedded.js";
import { Scratch } from "./scratch.js";

const context = () => ({ clock: virtualClock(), random: systemRandom, logger: silentLogger });

let engine: OpenEngine;
beforeEach(async () => {
  engine = await embedded(":memory:").open(context());
  await ensureThings(engine.store);
});
afterEach(() => engine.close());

const text = async (id: string) => (await engine.store.readDocument(checkedService, "things", id))?.text;
const version = async (id: string) => (await engine.store.readDocument(checkedService, "things", id))?.version ?? 0;
const failing = unitOf({ type: "publish" }, { statements: [{ text: "NONSENSE", params: [], rows: undefined }] });

describe("what is remembered of documents", () => {
  it("is what is stored, over more of them than are remembered, in any order of reads, writes and deletions", async () => {
    const random = seededRandom(11);
    const model = new Map<string, string>();
    const large = "x".repeat(20_000);
    for (let step = 0; step < 3_000; step += 1) {
      const id = `d${Math.floor(random.next() * 900)}`;
      const dice = random.next();
      if (dice < 0.5) {
        const content = JSON.stringify(`${step} ${large}`);
        await engine.store.commit([writing([thing(id, content)])], []);
        model.set(id, content);
      } else if (dice < 0.6) {
        await engine.store.commit([writing([thing(id, undefined)])], []);
        model.delete(id);
      } else if ((await text(id)) !== model.get(id)) expect.fail(`step ${step}: ${id} is not what was stored`);
    }
    for (let n = 0; n < 900; n += 1) if ((await text(`d${n}`)) !== model.get(`d${n}`)) expect.fail(`d${n} is wrong`);
  });

  it("is nothing of a group that was undone", async () => {
    await engine.store.commit([writing([thing("a", "1")])], []);
    const seen = await version("a");
    const spoilt = { ...writing([thing("a", "2"), thing("b", "2")], [readOf("a", seen)]) };
    spoilt.effects.statements = failing.effects.statements ?? [];
    const outcomes = await engine.store.commit([spoilt, writing([thing("c", "3")])], []);
    expect(outcomes.map((outcome) => outcome.type)).toEqual(["failed", "committed"]);
    expect([await text("a"), await text("b"), await text("c")]).toEqual(["1", undefined, "3"]);
    expect(await version("a")).toBe(seen);
    const again = await engine.store.commit([writing([thing("a", "4")], [readOf("a", seen), readOf("b", 0)])], []);
    expect(again.map((outcome) => outcome.type)).toEqual(["committed"]);
  });

  it("is nothing of a type whose declaration could not be stored: its number goes to the next type", () => {
    const scratch = new Scratch();
    try {
      const tables = new DocumentTables(scratch.database);
      const shape = (type: string) => ({ service: "s", type, indexes: [], unique: [], schema: 1, indexOf: () => [] });
      const full = () => {
        tables.ensure(shape("first"));
        throw new Error("the disk is full");
      };
      expect(() => scratch.transact(full)).toThrow("full");
      const declared = scratch.transact(() => tables.ensure(shape("second")));
      declared();
      const write = { service: "s", type: "second", id: "a", schema: 1, text: "1", indexed: [] };
      scratch.transact(() => tables.write([write], 1));
      tables.keep();
      expect(tables.read("s", "first", "a")).toBeUndefined();
      expect(tables.isDeclared(shape("first"))).toBe(false);
      expect(tables.read("s", "second", "a")).toMatchObject({ text: "1" });
    } finally {
      scratch.remove();
    }
  });
});

it("a unit that writes a type which nobody declared fails alone", async () => {
  const stray = writing([{ service: "nobody", type: "things", id: "a", schema: 1, text: "1", indexed: [] }]);
  const outcomes = await engine.store.commit([writing([thing("b", "1")]), stray], []);
  expect(outcomes).toMatchObject([{ type: "committed" }, { type: "failed", error: { code: "NOT_FOUND" } }]);
});
