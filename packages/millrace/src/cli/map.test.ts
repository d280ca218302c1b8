import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { Trial } from "./trial.js";

const trial = new Trial();
let url: string;
beforeAll(async () => {
  url = await trial.start();
});
afterAll(() => trial.remove());

/** Processes take their time on a busy machine. */
vi.setConfig({ testTimeout: 120_000 });

it("draws what the running app declares and has done, and without it what its module declares and the file holds", async () => {
  const headers = { "content-type": "application/json" };
  await fetch(`${url}/orders`, { method: "POST", headers, body: '{"orderId":"m-1","pence":5}' });
  await vi.waitFor(
    async () =>
      expect((await trial.run("map", "-o", "json")).stdout).toMatch(/"type": "payment.taken"[^}]*"events": 1/),
    { timeout: 20_000 },
  );
  const table = await trial.run("map");
  expect(table.code).toBe(0);
  expect(table.stdout).toMatch(/orders +order\.placed +payments +1/);
  expect(table.stdout).toMatch(/outside +rate-order +orders +0 +not seen/);
  expect(table.stderr).toContain("orders hears rate-order, and none was seen");

  const mermaid = await trial.run("map", "--format", "mermaid");
  expect(mermaid.stdout).toMatch(/^flowchart LR\n/);
  const [, orders = "", payments = ""] = /(s\d+)\["orders"\]\n {2}(s\d+)\["payments"\]/.exec(mermaid.stdout) ?? [];
  expect(mermaid.stdout).toContain(`  ${orders} -- "order.placed" --> ${payments}\n`);
  expect((await trial.run("map", "--format", "dot")).stdout).toContain(
    '"orders" -> "payments" [label="order.placed"];',
  );

  const drift = await trial.run("map", "--drift");
  expect(drift).toMatchObject({ code: 10, stdout: "orders hears rate-order, and none was seen\n" });
  await fetch(`${url}/orders/m-1/ratings?stars=5`, { method: "POST", headers });
  expect(await trial.run("map", "--drift")).toMatchObject({
    code: 0,
    stdout: "what is declared and what was seen are the same\n",
  });

  await trial.end();
  const alone = await trial.run("map", trial.module, "--drift", "-o", "json");
  expect(alone.code).toBe(0);
  expect(JSON.parse(alone.stdout)).toMatchObject({ from: "file", undeclared: [], unfed: [] });
  expect(await trial.run("map", "--format", "png")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--format is "png"; write table, mermaid, dot or json'),
  });
});
