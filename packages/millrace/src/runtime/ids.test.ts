import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveId, isUuid, seedOf, timePrefixMs, uuidv7 } from "./ids.js";
import { seededRandom, systemRandom } from "./random.js";

const v7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const nowMs = Date.UTC(2026, 0, 1, 12, 34, 56, 789);

describe("uuidv7", () => {
  it("makes UUIDs of version 7 whose prefix is the time", () => {
    const id = uuidv7(systemRandom).next(nowMs);
    expect(id).toMatch(v7);
    expect(isUuid(id)).toBe(true);
    expect(timePrefixMs(id, 0)).toBe(nowMs);
  });

  it("sorts ids in the order they were made, whatever the clock does", () => {
    const clock = fc.array(fc.integer({ min: -5_000, max: 5_000 }), { minLength: 2, maxLength: 200 });
    fc.assert(
      fc.property(clock, fc.integer(), (steps, seed) => {
        const ids = uuidv7(seededRandom(seed));
        const made = steps.map((step) => ids.next(nowMs + step));
        expect([...made].sort()).toEqual(made);
        expect(new Set(made).size).toBe(made.length);
      }),
    );
  });

  it("stays in order and unique through bursts of more ids than one millisecond holds", () => {
    const ids = uuidv7(systemRandom);
    const made = Array.from({ length: 300_000 }, () => ids.next(nowMs));
    expect(new Set(made).size).toBe(made.length);
    expect(made.every((id, i) => i === 0 || id > (made[i - 1] as string))).toBe(true);
    expect(made.every((id) => v7.test(id))).toBe(true);
  });

  it("repeats for one seed and differs between two", () => {
    expect(uuidv7(seededRandom(1)).next(nowMs)).toBe(uuidv7(seededRandom(1)).next(nowMs));
    expect(uuidv7(seededRandom(1)).next(nowMs)).not.toBe(uuidv7(seededRandom(2)).next(nowMs));
  });
});

describe("seedOf", () => {
  it("tells its parts apart by place and type", () => {
    const seeds = [
      seedOf("ab", "c"),
      seedOf("a", "bc"),
      seedOf("abc"),
      seedOf(1),
      seedOf("1"),
      seedOf("1", ""),
      seedOf(),
    ];
    expect(new Set(seeds.map(String)).size).toBe(seeds.length);
  });
});

describe("deriveId", () => {
  const cause = { source: "orders", id: uuidv7(seededRandom(1)).next(nowMs), time: nowMs + 5 };
  const seed = seedOf("payments", 1, "payment.authorised");

  it("does not change between processes and releases", () => {
    const fixed = { source: "orders", id: "0190e2a1-7b1c-7d3a-8f00-123456789abc", time: 0 };
    expect(deriveId(fixed, seed, 0)).toMatchInlineSnapshot(`"0190e2a1-7b1c-765d-b14e-c97a4e42bfb0"`);
    expect(deriveId({ ...fixed, id: "invoice 536365", time: nowMs }, seed, 0)).toMatchInlineSnapshot(
      `"019b798d-d495-74bf-84b0-c1dc2c4904a5"`,
    );
  });

  it("keeps the time prefix of a UUID, and takes the cause's time for other ids", () => {
    expect(deriveId(cause, seed, 0).slice(0, 13)).toBe(cause.id.slice(0, 13));
    expect(timePrefixMs(deriveId({ ...cause, id: "invoice-7" }, seed, 0), 0)).toBe(cause.time);
  });

  it("is a UUID of version 7 for any cause", () => {
    const anyCause = fc.record({ source: fc.string(), id: fc.oneof(fc.string(), fc.uuid()), time: fc.nat() });
    fc.assert(
      fc.property(anyCause, fc.nat(), (some, n) => {
        expect(deriveId(some, seed, n)).toMatch(v7);
        expect(deriveId(some, seed, n)).toBe(deriveId({ ...some }, [...seed], n));
      }),
    );
  });

  it("differs when the source, id, seed or number differs in the least", () => {
    const digits = [...cause.id].flatMap((digit, i) => (digit === "-" ? [] : [i]));
    const derived = [
      deriveId(cause, seed, 0),
      deriveId(cause, seed, 1),
      deriveId(cause, seedOf("payments", 2, "payment.authorised"), 0),
      deriveId({ ...cause, source: "order" }, seed, 0),
      deriveId({ ...cause, id: cause.id.toUpperCase() }, seed, 0),
      ...digits.map((i) => deriveId(flipped(cause, i), seed, 0)),
    ];
    const tails = new Set(derived.map((id) => id.slice(14)));
    expect(tails.size).toBe(5 + 32);
  });

  it("has no collisions in 400,000 ids of neighbouring causes, numbers and seeds", () => {
    const seen = new Set<string>();
    const seeds = [0, 1, 2, 3].map((generation) => seedOf("payments", generation, "payment.authorised"));
    const ids = uuidv7(seededRandom(5));
    for (let i = 0; i < 25_000; i += 1) {
      const id = ids.next(nowMs);
      for (const each of seeds)
        for (let n = 0; n < 4; n += 1) seen.add(deriveId({ source: "orders", id, time: 0 }, each, n).slice(14));
    }
    expect(seen.size).toBe(400_000);
  });

  it("has no collisions in counting ids that are not UUIDs", () => {
    const seen = new Set<string>();
    for (let i = 0; i < 200_000; i += 1) seen.add(deriveId({ source: "shop", id: String(i), time: nowMs }, seed, 0));
    expect(seen.size).toBe(200_000);
  });

  it("spreads every one of its bits evenly", () => {
    const ones = new Float64Array(88);
    const rounds = 20_000;
    for (let n = 0; n < rounds; n += 1) {
      const bits = BigInt(`0x${deriveId(cause, seed, n).slice(14).replaceAll("-", "")}`);
      for (let bit = 0; bit < 80; bit += 1) ones[bit] = (ones[bit] ?? 0) + Number((bits >> BigInt(bit)) & 1n);
    }
    // The four bits of the version and the two of the variant do not vary.
    const varying = [...ones.slice(0, 62), ...ones.slice(64, 76)];
    expect(varying).toHaveLength(74);
    for (const count of varying) expect(Math.abs(count / rounds - 0.5)).toBeLessThan(0.02);
  });
});

/** The cause with one hexadecimal digit of its id changed. */
function flipped<T extends { readonly id: string }>(cause: T, at: number): T {
  return { ...cause, id: cause.id.slice(0, at) + (cause.id[at] === "0" ? "1" : "0") + cause.id.slice(at + 1) };
}

describe("timePrefixMs", () => {
  it("falls back for what is not a UUID", () => {
    expect([timePrefixMs("invoice-7", nowMs + 0.5), timePrefixMs("", -1)]).toEqual([nowMs, 0]);
  });
});

describe("isUuid", () => {
  it.each([
    "",
    "x",
    "0190e2a17b1c7d3a8f00123456789abc",
    "0190e2a1-7b1c-7d3a-8f00-123456789abg",
    "{190e2a1-7b1c-7d3a-8f00-123456789ab}",
  ])("refuses %j", (text) => {
    expect(isUuid(text)).toBe(false);
  });

  it("takes both cases", () => {
    expect(isUuid("0190E2A1-7B1C-4D3A-8F00-123456789ABC")).toBe(true);
  });
});
