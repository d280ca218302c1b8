import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Running } from "../app/app.js";
import { embedded } from "../embedded/embedded.js";
import { running } from "../http/command-routes.js";
import type { MillraceApp } from "../main/millrace.js";
import { orders, trialApp } from "../main/trial-app.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { follow } from "./tail.js";

const clock = virtualClock();
let app: MillraceApp;
let live: Running;
const stop = new AbortController();
beforeEach(async () => {
  app = trialApp({ dir: ":memory:", engine: embedded(":memory:"), clock });
  await app.start();
  live = app[running] as Running;
});
afterEach(() => app.stop());

const place = (orderId: string) => app.publish(orders.placed({ orderId, pence: 1 }));
const followed = () => ({ inspect: live.engine.inspect, live: { running: live }, stopping: stop.signal });

describe("a tail that waits", () => {
  it("is answered by the first event that fits, and goes on from there without gap or repeat", async () => {
    const query = { topic: "orders", key: "o-2" };
    const { cursor } = await follow(followed(), { query });
    let answered = false;
    const coming = follow(followed(), { query, after: cursor, waitMs: 10_000 });
    coming.then(() => {
      answered = true;
    }, undefined);
    await place("o-1");
    await app.settled();
    expect(answered).toBe(false);
    await place("o-2");
    const page = await coming;
    expect(page.events.map((event) => event.key)).toEqual(["o-2"]);
    await place("o-2");
    await place("o-2");
    const next = await follow(followed(), { query, after: page.cursor });
    expect(next.events.map((event) => event.offset)).toEqual([2, 3]);
    expect((await follow(followed(), { query, after: next.cursor })).events).toEqual([]);
  });

  it("is answered with nothing when its time is up", async () => {
    const { cursor } = await follow(followed(), { query: {} });
    const coming = follow(followed(), { query: {}, after: cursor, waitMs: 10_000 });
    await clock.advance(10_000);
    expect((await coming).events).toEqual([]);
  });
});
