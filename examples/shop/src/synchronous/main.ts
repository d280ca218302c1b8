import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { embedded, type MillraceApp } from "millrace";
import { startOutside } from "../outside/outside.js";
import { shop, without } from "../shop.js";
import { startChain } from "./chain.js";

/** The service that goes down in both. */
const victim = "loyalty";
const workMs = 80;

/**
 * One order in both architectures: with everything up, and with one of the eight services down. A first order, not
 * shown, warms each of them up.
 */
async function main(): Promise<void> {
  await chainOfCalls();
  await shopOfEvents();
}

async function chainOfCalls(): Promise<void> {
  say(`A chain of eight HTTP calls, ${workMs} ms of work in each`);
  const chain = await startChain({ workMs });
  await post(`${chain.url}/orders`);
  say(`  all up:         ${await post(`${chain.url}/orders`)}`);
  await chain.down(victim);
  say(`  ${victim} down:   ${await post(`${chain.url}/orders`)}`);
  await chain.up(victim);
  say(
    `  ${victim} back:   ${await post(`${chain.url}/orders`)}  (the order before is lost, unless the customer tries again)`,
  );
  await chain.stop();
}

async function shopOfEvents(): Promise<void> {
  say(`\nMillrace: eight services, payment provider and mail server of ${workMs} ms each`);
  const dir = await mkdtemp(join(tmpdir(), "millrace-shop-"));
  const outside = await startOutside({ behaviour: { latencyMs: workMs } });
  const start = async (...down: readonly string[]) => {
    const app = shop({ engine: embedded(dir), outside });
    await app.start(without(...down));
    return app;
  };
  const all = await start();
  const ada = { name: "Ada", email: "ada@customers.example", country: "United Kingdom" };
  await post(`${all.url}/customers/ada`, ada, "PUT");
  await placeAndRest(all, "order-0");
  say(`  all up:         ${await placeAndRest(all, "order-1")}`);
  await all.stop();

  const seven = await start(victim);
  say(`  ${victim} down:   ${await placeAndRest(seven, "order-2")}`);
  await seven.stop();

  const again = await start();
  await again.settled();
  say(`  ${victim} back:   its backlog is worked off by itself: ${await standing(again, "order-2")}`);
  await again.stop();
  await outside.stop();
  await rm(dir, { recursive: true });
}

async function post(url: string, body: unknown = {}, method = "POST"): Promise<string> {
  const started = performance.now();
  const response = await fetch(url, {
    method,
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as { readonly error?: string };
  const ms = Math.round(performance.now() - started);
  return `${response.status} after ${ms} ms${answer.error === undefined ? "" : `: ${answer.error.slice(-40)}`}`;
}

async function placeAndRest(app: MillraceApp, orderId: string): Promise<string> {
  const started = performance.now();
  const lines = [{ sku: "teapot-blue", quantity: 2 }];
  const answer = await post(`${app.url}/orders`, { orderId, customerId: "ada", country: "United Kingdom", lines });
  await app.settled();
  const ms = Math.round(performance.now() - started);
  return `${answer}; at rest after ${ms} ms: ${await standing(app, orderId)}`;
}

async function standing(app: MillraceApp, orderId: string): Promise<string> {
  const read = async (path: string) => (await (await fetch(`${app.url}${path}`)).json()) as Record<string, unknown>;
  const { status } = await read(`/orders/${orderId}`);
  const { points } = await read("/customers/ada/points");
  return `${orderId} is ${status}, Ada has ${points} points`;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

await main();
