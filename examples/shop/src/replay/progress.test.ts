import { expect, it } from "vitest";
import { progress } from "./progress.js";

function terminal(isTTY: boolean) {
  let text = "";
  return {
    isTTY,
    write: (more: string) => {
      text += more;
    },
    text: () => text,
  };
}

it("draws a bar with rate and ETA on a terminal", () => {
  const out = terminal(true);
  let now = 0;
  const bar = progress("invoices", out, () => now);
  bar.update(0, 0);
  now = 10_000;
  bar.update(0.25, 5_000);
  expect(out.text()).toContain(`${"█".repeat(6)}${"░".repeat(18)} 25 %  5,000 invoices  500/s  ETA 30 s`);
  now = 80_000;
  bar.done(20_000);
  expect(out.text()).toMatch(/100 % {2}20,000 invoices {2}250\/s {2}in 1 min 20 s/);
});

it("counts what an earlier run had done into the share, not into the speed", () => {
  const out = terminal(true);
  let now = 0;
  const bar = progress("invoices", out, () => now);
  bar.update(0.5, 10_000);
  now = 10_000;
  bar.update(0.6, 12_000);
  expect(out.text()).toContain("60 %  12,000 invoices  200/s  ETA 40 s");
});

it("writes a line for every tenth elsewhere", () => {
  const out = terminal(false);
  let now = 0;
  const bar = progress("invoices", out, () => now);
  for (let count = 0; count <= 1_000; count += 1) {
    now = count;
    bar.update(count / 1_000, count);
  }
  bar.done(1_000);
  const shares = out
    .text()
    .split("\n")
    .map((line) => line.split(" ")[0]);
  expect(shares).toEqual(["10", "20", "30", "40", "50", "60", "70", "80", "90", "100", ""]);
  expect(out.text()).not.toContain("\r");
});
