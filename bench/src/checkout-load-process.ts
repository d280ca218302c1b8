import { Agent, request } from "node:http";
import { setTimeout as pause } from "node:timers/promises";
import { answering } from "./child.js";

/** Orders to place at a steady rate, whether or not those before are answered. */
export interface Load {
  readonly url: string;
  readonly perSecond: number;
  readonly first: number;
  readonly total: number;
  readonly customers: number;
}

/** When an order should have been sent, in milliseconds since 1970, and how long after that it was answered. */
export interface Placed {
  readonly orderId: string;
  readonly dueMs: number;
  readonly ms: number;
}

const agent = new Agent({ keepAlive: true, maxSockets: 256 });
const skus = ["teapot-blue", "cup-red", "lantern-star", "clock-station"];

function body(n: number, customers: number) {
  return {
    orderId: `order-${n}`,
    customerId: `customer-${n % customers}`,
    country: "United Kingdom",
    lines: [
      { sku: skus[n % 4], quantity: 1 },
      { sku: skus[(n + 1) % 4], quantity: 1 },
    ],
    deliverTo: { name: "Ada Lovelace", street: "12 St James's Square", postcode: "SW1Y 4JH" },
  };
}

function post(url: string, text: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(text) };
    const sent = request(`${url}/orders`, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
    });
    sent.on("error", (error) => {
      // A server closes connections that were idle for a while; whoever writes into one at that moment tries again.
      if (sent.reusedSocket && "code" in error && error.code === "ECONNRESET") post(url, text).then(resolve, reject);
      else reject(error);
    });
    sent.end(text);
  });
}

/** Sleeps between orders: to watch the clock would take one of two cores from the shop. Costs up to a millisecond. */
async function place({ url, perSecond, first, total, customers }: Load): Promise<readonly Placed[]> {
  const startMs = performance.now();
  const one = async (n: number, dueMs: number): Promise<Placed> => {
    const order = body(n, customers);
    const status = await post(url, JSON.stringify(order));
    if (status !== 202) throw new Error(`order ${n} was answered with ${status}`);
    return { orderId: order.orderId, dueMs: performance.timeOrigin + dueMs, ms: performance.now() - dueMs };
  };
  const answered: Promise<PromiseSettledResult<Placed>>[] = [];
  while (answered.length < total) {
    const dueMs = () => startMs + (answered.length * 1000) / perSecond;
    while (answered.length < total && dueMs() <= performance.now())
      answered.push(settled(one(first + answered.length, dueMs())));
    await pause(1);
  }
  const placed: Placed[] = [];
  for (const answer of answered) {
    const outcome = await answer;
    if (outcome.status === "rejected") throw outcome.reason;
    placed.push(outcome.value);
  }
  return placed;
}

/** So that a failure is not an unhandled one while others are still being sent. */
async function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [outcome] = await Promise.allSettled([promise]);
  return outcome;
}

answering((load) => place(load as Load));
