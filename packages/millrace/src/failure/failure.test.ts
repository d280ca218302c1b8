import { describe, expect, it } from "vitest";
import { failureCodes } from "./codes.js";
import { Failure, fingerprintOf, isFailure, verdictOf } from "./failure.js";

describe("Failure", () => {
  it("carries its code, the verdict of the table, details and the cause", () => {
    const cause = new Error("below");
    const failure = new Failure("VERSION_CONFLICT", "documents accounts c-1 changed", {
      cause,
      details: { id: "c-1" },
    });
    expect(failure).toBeInstanceOf(Error);
    expect(failure).toMatchObject({ code: "VERSION_CONFLICT", verdict: "reload", details: { id: "c-1" }, cause });
  });

  it("has no cause when none is given", () => {
    expect("cause" in new Failure("NOT_FOUND", "no consumer x")).toBe(false);
  });

  it("is told apart by code", () => {
    const failure = new Failure("NOT_FOUND", "no consumer x");
    expect([isFailure(failure), isFailure(failure, "NOT_FOUND"), isFailure(failure, "CONFLICT")]).toEqual([
      true,
      true,
      false,
    ]);
    expect(isFailure({ code: "NOT_FOUND" })).toBe(false);
  });

  it("gives retry to errors that Millrace did not raise", () => {
    expect([verdictOf(new Error("x")), verdictOf("x"), verdictOf(undefined)]).toEqual(["retry", "retry", "retry"]);
    expect(verdictOf(new Failure("CONTRACT_REJECTED", "x"))).toBe("dead-letter");
  });

  it("has a one-line summary for every code", () => {
    for (const row of Object.values(failureCodes)) expect(row.summary).toMatch(/^[A-Z][^\n]{10,110}\.$/);
  });
});

describe("fingerprintOf", () => {
  it("is the same for errors that differ in ids, numbers and quoted parts", () => {
    const one = new Error('order 17 of "Ann" at 0190e2a1-7b1c-7d3a-8f00-123456789abc failed after 20ms');
    const other = new Error('order 4 of "Bob" at 0190e2a1-7b1c-7d3a-8f00-00000000aaaa failed after 1ms');
    expect(fingerprintOf(one)).toBe(fingerprintOf(other));
    expect(fingerprintOf(one)).toMatch(/^[0-9a-f]{12}$/);
  });

  it("differs between reasons, names and codes", () => {
    const prints = [
      new Error("stock is short"),
      new TypeError("stock is short"),
      new Error("payment is refused"),
      new Failure("CONTRACT_REJECTED", "stock is short"),
      new Failure("DOCUMENT_REJECTED", "stock is short"),
      "stock is short",
    ].map(fingerprintOf);
    expect(new Set(prints).size).toBe(prints.length);
  });

  it("does not change between releases", () => {
    expect(fingerprintOf(new Error("stock is short"))).toMatchInlineSnapshot(`"ce65309d5656"`);
  });
});
