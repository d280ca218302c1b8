import { describe, expect, it } from "vitest";
import { documentedRule, exportsMapRule, innerImportRule, reExportRule } from "./tidy/door-rules.js";
import { errorsPageRule, raisedCodesRule } from "./tidy/errors-page.js";
import { constructsRule, defaultExportRule, escapesRule } from "./tidy/language.js";
import { knownFoldersRule, layerRule, usedFoldersRule } from "./tidy/layers.js";
import { lockRule } from "./tidy/lock.js";
import { machineRule } from "./tidy/machine.js";
import { fileNameRule, folderNameRule, typeNameRule } from "./tidy/names.js";
import { readRepo, repoOf } from "./tidy/repo.js";
import { type Rule, report } from "./tidy/rule.js";
import { fileSizeRule, functionSizeRule, ratchetRule } from "./tidy/sizes.js";
import { skippedTestsRule } from "./tidy/tests.js";
import { clockRule, sleepRule } from "./tidy/time.js";

const rules: readonly Rule[] = [
  layerRule,
  knownFoldersRule,
  usedFoldersRule,
  fileSizeRule,
  ratchetRule,
  functionSizeRule,
  fileNameRule,
  folderNameRule,
  typeNameRule,
  constructsRule,
  defaultExportRule,
  escapesRule,
  clockRule,
  sleepRule,
  skippedTestsRule,
  reExportRule,
  innerImportRule,
  documentedRule,
  exportsMapRule,
  errorsPageRule,
  raisedCodesRule,
  lockRule,
  machineRule,
];

const repo = readRepo();

describe.each(rules)("$name", (rule) => {
  it("holds in this repository", () => {
    const offences = rule.check(repo);
    if (offences.length > 0) expect.fail(report(rule, offences));
  });

  it.each(rule.bad.map((sample, index) => ({ sample, number: index + 1 })))(
    "refuses bad sample $number",
    ({ sample }) => {
      expect(rule.check(repoOf(sample))).not.toEqual([]);
    },
  );

  it.each(rule.good.map((sample, index) => ({ sample, number: index + 1 })))(
    "accepts good sample $number",
    ({ sample }) => {
      expect(rule.check(repoOf(sample))).toEqual([]);
    },
  );
});

it("carries samples with every rule", () => {
  expect(rules.filter((rule) => rule.bad.length === 0 || rule.good.length === 0)).toEqual([]);
});
