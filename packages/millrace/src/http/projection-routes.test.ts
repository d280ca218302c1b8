import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import { type MillraceApp, millrace } from "../main/millrace.js";
import { projection } from "../projection/projection.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { running } from "./command-routes.js";

const Order = z.object({ orderId: z.string(), status: z.string(), pence: z.int() });
const orders = topic("orders", { key: "orderId", events: { placed: event("order.placed", Order) } });
const place = command("place-order", Order, { key: "orderId" });
const summary = projection("order-summary", { version: 1, row: Order, indexes: ["status", "pence"] }).on(
  orders.placed,
  (_, { data }) => {
    if (data.pence === 13) throw new Failure("EVENT_REJECTED", "unlucky");
    return data.pence === 0 ? undefined : data;
  },
);
const shop = () =>
  service("shop")
    .handle(place, { emits: [orders.placed] }, ({ data }, ctx) => ctx.publish(orders.placed(data)))
    .owns(orders, summary);

const open: MillraceApp[] = [];
const streams: AbortController[] = [];
afterEach(async () => {
  for (const stream of streams.splice(0)) stream.abort();
  for (const app of open.splice(0)) await app.stop();
  await endTrials();
});

async function started(dir = ":memory:"): Promise<MillraceApp> {
  const app = millrace({
    ...{ services: [shop()], engine: embedded(dir), logger: silentLogger, signals: false, admin: false },
    http: { port: 0, routes: { "POST /orders": place, "GET /orders/{id}": summary, "GET /orders": summary } },
  });
  await app.start();
  open.push(app);
  return app;
}

async function post(app: MillraceApp, order: z.infer<typeof Order>) {
  const headers = { "content-type": "application/json" };
  const response = await fetch(`${app.url}/orders`, { method: "POST", headers, body: JSON.stringify(order) });
  const body = (await response.json()) as { readonly token: string };
  expect(response.headers.get("millrace-token")).toBe(body.token);
  return body.token;
}

const get = async (app: MillraceApp, path: string) => {
  const response = await fetch(`${app.url}${path}`);
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Record<string, unknown>,
  };
};

/** Frames of a stream of changes, as they come. */
async function* frames(app: MillraceApp, path: string, lastId?: string) {
  const stop = new AbortController();
  streams.push(stop);
  const headers = { accept: "text/event-stream", ...(lastId === undefined ? {} : { "last-event-id": lastId }) };
  const response = await fetch(`${app.url}${path}`, { headers, signal: stop.signal });
  let text = "";
  const reader = (response.body as ReadableStream<Uint8Array>).pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(
        text
          .slice(0, end)
          .split("\n")
          .map((line) => line.split(/: (.*)/s) as [string, string]),
      );
      text = text.slice(end + 2);
      if (fields.has("event"))
        yield { event: fields.get("event"), id: fields.get("id"), data: JSON.parse(fields.get("data") ?? "null") };
    }
  }
}
type Frame = { event?: string | undefined; id?: string | undefined; data: unknown };
async function next(stream: AsyncGenerator<Frame>): Promise<Frame> {
  const { value, done } = await stream.next();
  if (done === true) throw new Error("the stream has ended");
  return value;
}

it("answers with the row of a key, and with pages of rows", async () => {
  const app = await started();
  let token = "";
  for (let n = 1; n <= 5; n += 1)
    token = await post(app, { orderId: `o-${n}`, status: n % 2 ? "odd" : "even", pence: n * 100 });
  expect(await get(app, `/orders/o-5?after=${token}`)).toMatchObject({ status: 200, body: { pence: 500 } });
  expect(await get(app, "/orders/o-9")).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
  const page = await get(app, "/orders?status=odd&pence.gte=100&order=-pence&limit=2");
  expect(page.body).toMatchObject({ ids: ["o-5", "o-3"] });
  const last = await get(app, `/orders?status=odd&pence.gte=100&order=-pence&limit=2&cursor=${page.body.next}`);
  expect(last.body).toMatchObject({ ids: ["o-1"], next: null });
  expect(await get(app, "/orders?orderId=o-1")).toMatchObject({ status: 400, body: { code: "REQUEST_INVALID" } });
  expect(await get(app, "/orders?limit=x")).toMatchObject({ status: 400 });
  expect(await get(app, "/orders/o-1?after=x")).toMatchObject({ status: 400, body: { code: "OPTION_INVALID" } });
  const openapi = await get(app, "/openapi.json");
  expect(openapi.body.paths).toMatchObject({ "/orders/{id}": { get: {} }, "/orders": { get: {}, post: {} } });
});

it("refuses a query that says two things of one field, or of none", async () => {
  const app = await started();
  await post(app, { orderId: "o-1", status: "odd", pence: 100 });
  for (const [query, why] of [
    ["status=odd&status=even", "status twice"],
    ["limit=1&limit=2", "limit twice"],
    ["pence=100&pence.gte=1", "a value and a bound for pence"],
    ["pence.gte=1&pence=100", "a value and a bound for pence"],
    ["pence=much", '"much" for pence, which is a number'],
    ["__proto__=1", "__proto__ has no index"],
  ])
    expect(await get(app, `/orders?${query}`), query).toMatchObject({
      status: 400,
      body: { code: "REQUEST_INVALID", detail: expect.stringContaining(why as string) },
    });
});

it("answers 503 while the projection is behind the token, and 409 when a dead letter is in the way", async () => {
  const app = await started();
  await app.settled();
  const live = app[running];
  const act = { actor: "ann", reason: "a test", at: 1 };
  await live?.engine.operate.pause("shop.order-summary@1", act);
  await live?.changed({ pauses: true });
  const token = await post(app, { orderId: "o-1", status: "odd", pence: 13 });
  const behind = await get(app, `/orders/o-1?after=${token}`);
  expect(behind).toMatchObject({ status: 503, body: { code: "PROJECTION_BEHIND" } });
  expect(behind.headers.get("retry-after")).toBe("1");
  await live?.engine.operate.resume("shop.order-summary@1", act);
  await live?.changed({ pauses: true });
  const held = await get(app, `/orders/o-1?after=${token}`);
  expect(held).toMatchObject({ status: 409, body: { code: "LANE_HELD", deadLetter: expect.any(Number) } });
});

it("streams changes, resumes after the last one seen, and says when it cannot", async () => {
  const dir = tempFolder();
  const app = await started(dir);
  const stream = frames(app, "/orders");
  expect(await next(stream)).toMatchObject({ event: "ready" });
  await post(app, { orderId: "o-1", status: "odd", pence: 100 });
  const first = await next(stream);
  expect(first).toMatchObject({ event: "row", data: { id: "o-1", row: { pence: 100 } } });
  const one = frames(app, "/orders/o-2");
  expect(await next(one)).toMatchObject({ event: "ready" });
  await post(app, { orderId: "o-1", status: "odd", pence: 0 });
  await post(app, { orderId: "o-2", status: "even", pence: 200 });
  expect(await next(stream)).toMatchObject({ event: "row", data: { id: "o-1", row: null } });
  expect(await next(one)).toMatchObject({ event: "row", data: { id: "o-2" } });
  await app.stop();
  const again = await started(dir);
  const resumed = frames(again, "/orders", first.id);
  expect(await next(resumed)).toMatchObject({ event: "row", data: { id: "o-1", row: null } });
  expect(await next(resumed)).toMatchObject({ event: "row", data: { id: "o-2" } });
  for (const unknown of ["order-summary@1/999999", "order-summary@7/1", "nonsense"])
    expect(await next(frames(again, "/orders", unknown))).toMatchObject({ event: "gap" });
});

it("says gap when other changes than are kept have been missed", { timeout: 60_000 }, async () => {
  const app = await started();
  const stream = frames(app, "/orders");
  const { id } = await next(stream);
  for (let n = 0; n < 1_300; n += 1) {
    await app.publish(orders.placed({ orderId: "o-1", status: "odd", pence: n + 100 }));
    await app.settled();
  }
  const late = frames(app, "/orders", id);
  expect(await next(late)).toMatchObject({ event: "gap" });
  await app.publish(orders.placed({ orderId: "o-1", status: "odd", pence: 5 }));
  expect(await next(late)).toMatchObject({ event: "row", data: { row: { pence: 5 } } });
});

it("refuses routes that answer with nothing", () => {
  const app = () => millrace({ services: [], engine: embedded(":memory:"), signals: false });
  expect(() => app().http({ routes: { "GET /orders/{a}/{b}": summary } })).toThrow(/two parameters/);
  expect(() => app().http({ routes: { "GET /orders": {} as never } })).toThrow(/projection\(\)/);
});
