import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { logConformance } from "./log.js";
import { logHistoryConformance } from "./log-history.js";
import { partitionerConformance } from "./partitioner.js";

const page = readFileSync(new URL("../../../../../docs/conformance.md", import.meta.url), "utf8");
const nobody = () => Promise.reject(new Error("no case is run here"));

it("docs/conformance.md lists every behaviour of the suites of logs", () => {
  const cases = [...logConformance(nobody), ...logHistoryConformance(nobody), ...partitionerConformance(() => 0)];
  expect(cases.filter(({ name }) => !page.includes(`- ${name}`))).toEqual([]);
});
