import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Running } from "../app/app.js";
import { embedded } from "../embedded/embedded.js";
import { Failure } from "../failure/failure.js";
import type { MillraceApp } from "../main/millrace.js";
import { orders, placeOrder, price, type TrialOptions, trialApp } from "../main/trial-app.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { running } from "./command-routes.js";
import { laggards } from "./health.js";

let app: MillraceApp;
let gate: Promise<void>;
let open: () => void;
beforeEach(() => {
  gate = new Promise((resolve) => {
    open = resolve;
  });
});
afterEach(async () => {
  open();
  await app.stop();
});

async function started(options: Partial<TrialOptions> = {}): Promise<string> {
  app = trialApp({ dir: ":memory:", engine: embedded(":memory:"), ...options });
  await app.start();
  return app.url as string;
}

async function ready(url: string): Promise<[number, unknown]> {
  const response = await fetch(`${url}/health/ready`);
  return [response.status, await response.json()];
}

async function orderInFlight(): Promise<void> {
  await vi.waitFor(
    () => expect(app[running]?.consumers().find(({ consumer }) => consumer === "orders")?.inFlight).toBe(1),
    15_000,
  );
}

describe("health", () => {
  it("is live and ready when consumers have nothing to do", async () => {
    const url = await started();
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    expect(await ready(url)).toEqual([200, { state: "ready", consumers: [] }]);
  });

  it("is live while the store refuses for now, and not when another process has taken it over; one that does not answer makes it unready", async () => {
    const clock = virtualClock();
    let answer = (): Promise<never> => Promise.reject(new Failure("STORE_FULL", "no space left"));
    let asked = 0;
    const engine = embedded(":memory:");
    const url = await started({
      clock,
      engine: {
        ...engine,
        async open(context) {
          const opened = await engine.open(context);
          const commit = opened.store.commit.bind(opened.store);
          opened.store.commit = (units, progress) => {
            if (units.length + progress.length > 0) return commit(units, progress);
            asked += 1;
            return answer();
          };
          return opened;
        },
      },
    });
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
    answer = () => {
      throw new Failure("FENCED", "taken over");
    };
    const fenced = await fetch(`${url}/health/live`);
    expect([fenced.status, await fenced.json()]).toEqual([503, { state: "FENCED" }]);
    answer = () => new Promise(() => {});
    // The file's owner may be another process, which is stopped: to restart this one would mend nothing.
    const silent = fetch(`${url}/health/live`);
    await vi.waitFor(() => expect(asked).toBe(3), 15_000);
    await clock.advance(500);
    expect([(await silent).status, await (await silent).json()]).toEqual([200, { state: "live" }]);
    const unready = ready(url);
    await vi.waitFor(() => expect(asked).toBe(4), 15_000);
    await clock.advance(5_000);
    expect(await unready).toEqual([503, { state: "the store does not answer", consumers: [] }]);
  });

  it("is not ready when a consumer has stopped, and names it with the reason", async () => {
    const url = await started();
    await app.publish(orders.placed({ orderId: "o-1", pence: price.stops }));
    await vi.waitFor(async () => {
      const [status, body] = await ready(url);
      expect(status).toBe(503);
      expect(body).toEqual({
        state: "not ready",
        consumers: [{ consumer: "payments", state: "stopped", reason: expect.stringContaining("FENCED") }],
      });
    }, 15_000);
    expect((await fetch(`${url}/health/live`)).status).toBe(200);
  });

  it("is not ready when a consumer has work and makes no progress within the window", async () => {
    const clock = virtualClock();
    const url = await started({ clock, gate: () => gate, http: { readyWithin: "90s" } });
    await app.send(placeOrder({ orderId: "o-1", pence: 1 }));
    await orderInFlight();
    await clock.advance(89_000);
    expect((await ready(url))[0]).toBe(200);
    // Whether the move of the slow event to a lane entry counts as progress is the consumer's to say.
    await clock.advance(35_000);
    expect(await ready(url)).toEqual([
      503,
      {
        state: "not ready",
        consumers: [{ consumer: "orders", state: "stalled", reason: expect.stringMatching(/no progress for \d+ s/) }],
      },
    ]);
    open();
    await vi.waitFor(async () => expect((await ready(url))[0]).toBe(200), 15_000);
  });

  it("stays ready while the backlog of a consumer is in partitions that another process has", async () => {
    const clock = virtualClock();
    const url = await started({ clock, gate: () => gate, http: { readyWithin: "90s" } });
    await app.send(placeOrder({ orderId: "o-1", pence: 1 }));
    await orderInFlight();
    await clock.advance(124_000);
    const here = app[running] as Running;
    expect((await laggards(here, 90_000)).map(({ consumer }) => consumer)).toEqual(["orders"]);
    for (const elsewhere of [{ partitions: 0 }, { resting: true }]) {
      const without: Running = {
        ...here,
        consumers: () => here.consumers().map(({ blocked: _, ...status }) => ({ ...status, ...elsewhere })),
      };
      expect(await laggards(without, 90_000)).toEqual([]);
    }
    expect((await ready(url))[0]).toBe(503);
  });

  it("stays ready when a consumer was idle for long and has just got work", async () => {
    const clock = virtualClock();
    const url = await started({ clock, gate: () => gate });
    await clock.advance(3_600_000);
    await app.send(placeOrder({ orderId: "o-1", pence: 1 }));
    await orderInFlight();
    expect((await ready(url))[0]).toBe(200);
  });
});
