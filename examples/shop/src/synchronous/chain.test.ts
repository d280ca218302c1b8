import { afterEach, expect, it } from "vitest";
import { type Chain, links, startChain } from "./chain.js";

let chain: Chain;
afterEach(() => chain.stop());

async function order(): Promise<{ status: number; body: unknown; ms: number }> {
  const started = performance.now();
  const response = await fetch(`${chain.url}/orders`, { method: "POST", body: "{}" });
  return { status: response.status, body: await response.json(), ms: performance.now() - started };
}

it("makes the customer wait for the sum of all eight services", async () => {
  chain = await startChain({ workMs: 10 });
  const { status, body, ms } = await order();
  expect(status).toBe(201);
  expect(body).toEqual({ done: links });
  expect(ms).toBeGreaterThanOrEqual(8 * 9);
});

it("fails every order while one of them is down, and works again when it is back", async () => {
  chain = await startChain({ workMs: 1 });
  await chain.down("loyalty");
  expect(await order()).toMatchObject({ status: 502, body: { error: expect.stringContaining("loyalty is down") } });
  await chain.up("loyalty");
  expect(await order()).toMatchObject({ status: 201 });
});
