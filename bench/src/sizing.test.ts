import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { shownRates, sizingOf, sizingTable } from "./sizing.js";

const page = readFileSync(new URL("../../docs/scaling.md", import.meta.url), "utf8");

describe("the sizing", () => {
  it("is what docs/scaling.md shows", () => {
    expect(page).toContain(sizingTable(shownRates));
  });

  it("goes from one file over PostgreSQL to Kafka as the rate grows", () => {
    const engines = [1e3, 1e5, 2e5, 5e5, 1e7].map((rate) => sizingOf(rate).engine);
    expect(engines).toEqual(["embedded", "embedded", "PostgreSQL", "Kafka + PostgreSQL", "Kafka + PostgreSQL"]);
  });
});
