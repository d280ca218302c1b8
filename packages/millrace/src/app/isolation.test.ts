import { availableParallelism } from "node:os";
import { afterEach, describe, expect, it, vi } from "vitest";
import type { IsolatedOptions } from "../consumer/options.js";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import type { LaneEntry } from "../store/unit.js";
import type { App } from "./app.js";
import { createApp } from "./create.js";
import { orders, review, risks, scores } from "./trial-risk-isolated.js";

const module = new URL("../../dist/app/trial-risk-isolated.js", import.meta.url);
let app: App | undefined;
afterEach(async () => {
  await app?.stop();
  app = undefined;
});

type Options = Partial<IsolatedOptions<typeof risks.scored | typeof review>>;
const retry = { attemptsInPlace: 1, attemptsMax: 3, backoffFirst: "1ms", backoffMax: "1ms" } as const;

/** A running app whose handler of orders is isolated. */
async function started(options: Options = {}) {
  const heard: { type: string; id: string; data: unknown; at: string }[] = [];
  const lines: { fields: object; message: string }[] = [];
  let entries: () => Promise<readonly LaneEntry[]> = async () => [];
  const scoring = service("scoring")
    .migrations({
      one: "CREATE TABLE ran(seq INTEGER PRIMARY KEY, key TEXT, n INTEGER, attempt INTEGER, thread INTEGER)",
    })
    .on(orders.placed, { isolate: module, emits: [risks.scored, review], retry, ...options });
  const hearing = service("hearing")
    .on(risks.scored, ({ type, id, data }) => void heard.push({ type, id, data, at: "event" }))
    .handle(review, ({ type, id, data }) => void heard.push({ type, id, data, at: "command" }));
  const logger = {
    ...silentLogger,
    info: (fields: object, message: string) => void lines.push({ fields, message }),
    child: () => logger,
  };
  const look = {
    name: "look",
    start: async (_: App, { engine }: { engine: { inspect: { entries(query: { limit: number }): unknown } } }) => {
      entries = async () => (await engine.inspect.entries({ limit: 100 })) as readonly LaneEntry[];
    },
    stop: async () => {},
  };
  const services = [scoring, hearing];
  app = createApp({ services, engine: embedded(":memory:"), logger, signals: false, drain: "1s" }, [look]);
  await app.start();
  const running = app;
  const place = (key: string, what: string, n = 1) => running.publish(orders.placed({ key, what, n }));
  return { app: running, heard, lines, place, entries: () => entries() };
}

describe("an isolated handler", () => {
  it("reads, writes, publishes, sends and sets timers in the commit, in order, with ids that a repeat would have", async () => {
    const { app, heard, place } = await started();
    await place("a", "work", 1);
    await place("a", "work", 2);
    await place("b", "work", 1);
    await app.settled();
    expect(await app.documents(scores).get("a")).toEqual({ key: "a", team: "red", by: [1, 2] });
    expect(await app.query`SELECT key, n, attempt FROM ran WHERE key = 'a' ORDER BY seq`).toEqual([
      { key: "a", n: 1, attempt: 1 },
      { key: "a", n: 2, attempt: 1 },
    ]);
    await vi.waitFor(() => expect(heard).toHaveLength(9), 15_000);
    expect(heard.filter(({ at }) => at === "command")).toHaveLength(3);
    expect(new Set(heard.map(({ id }) => id)).size).toBe(9);
    expect(heard.filter(({ data }) => (data as { id?: string }).id === "timer")).toHaveLength(3);
  });

  it("decides again when what it read has changed meanwhile, in another worker", async () => {
    const { app, place } = await started();
    await Promise.all(Array.from({ length: 40 }, (_, n) => place(`k-${n}`, "shared", n)));
    await app.settled();
    const by = [...((await app.documents(scores).get("shared"))?.by ?? [])].sort((a, b) => a - b);
    expect(by).toEqual(Array.from({ length: 40 }, (_, n) => n));
  });

  it("fails its event by throwing, with the error it threw, as a handler of the main thread does", async () => {
    const { place, entries } = await started();
    await place("a", "throw");
    await place("b", "reject");
    await vi.waitFor(async () => expect((await entries()).map(({ state }) => state)).toEqual(["dead", "dead"]), 15_000);
    const found = await entries();
    expect(found.find(({ record }) => record.key === "a")).toMatchObject({
      attempt: 3,
      failure: { code: "RangeError", message: "no a" },
    });
    expect(found.find(({ record }) => record.key === "b")).toMatchObject({
      attempt: 1,
      failure: { code: "EVENT_REJECTED" },
    });
  });

  it("that spins for ever times out: its worker is ended, the event fails, the process goes on", async () => {
    const { app, place, entries } = await started({
      timeout: "3s",
      concurrency: 1,
      retry: { ...retry, attemptsMax: 1 },
    });
    await place("a", "spin");
    await place("b", "work");
    await vi.waitFor(async () => expect((await entries())[0]).toMatchObject({ state: "dead" }), 15_000);
    expect((await entries())[0]).toMatchObject({ attempt: 1, failure: { code: "HANDLER_TIMEOUT" } });
    await app.settled();
    expect(await app.documents(scores).get("b")).toMatchObject({ by: [1] });
  }, 20_000);

  it("that calls process.exit ends its worker and fails its event, which runs again in the next one", async () => {
    const { app, place, entries } = await started();
    await place("a", "exit");
    await app.settled();
    expect(await app.query`SELECT attempt FROM ran`).toEqual([{ attempt: 3 }]);
    expect(await entries()).toEqual([]);
  });

  it("that ends its worker every time becomes a dead letter with WORKER_ENDED", async () => {
    const { place, entries } = await started({ retry: { ...retry, attemptsMax: 1 } });
    await place("a", "exit");
    await place("b", "leak");
    await vi.waitFor(async () => expect(await entries()).toHaveLength(2), 15_000);
    for (const { failure } of await entries()) {
      expect(failure).toMatchObject({ code: "WORKER_ENDED", message: expect.stringContaining("order.placed") });
    }
  });

  it("is told through its signal when its time is up, and logs through the app", async () => {
    const { place, lines } = await started({ timeout: "1s" });
    await place("a", "wait");
    await vi.waitFor(
      () =>
        expect(lines).toContainEqual({
          fields: expect.objectContaining({ why: "HANDLER_TIMEOUT", consumer: "scoring" }),
          message: "aborted",
        }),
      5_000,
    );
  });

  it("stops its consumer when it publishes what it does not declare", async () => {
    const { place, app } = await started();
    await place("a", "undeclared");
    await expect(app.settled()).rejects.toMatchObject({ code: "CONTRACT_UNKNOWN" });
    expect(await app.documents(scores).get("a")).toBeUndefined();
  });

  it("cannot use the context of a run that has ended", async () => {
    const { app, heard, place } = await started({ concurrency: 1 });
    await place("a", "late", 1);
    await app.settled();
    await place("a", "late", 2);
    await expect(app.settled()).rejects.toMatchObject({ code: "CONTEXT_CLOSED" });
    expect(heard).toEqual([]);
  });

  it("has no more workers than cores, however much it is given", async () => {
    const { app, place } = await started({ concurrency: 64 });
    await Promise.all(Array.from({ length: 50 }, (_, n) => place(`k-${n}`, "work")));
    await app.settled();
    expect(await app.query`SELECT count(*) AS n FROM ran`).toEqual([{ n: 50 }]);
    const [{ threads } = {}] = await app.query`SELECT count(DISTINCT thread) AS threads FROM ran`;
    expect(Number(threads)).toBeLessThanOrEqual(availableParallelism());
  });
});

describe("isolate", () => {
  it("is refused when its file is not there, when it is no URL of a file, or when a handler is given beside it", async () => {
    const isolate = new URL("./nowhere.js", import.meta.url);
    const missing = createApp(
      { services: [service("s").on(orders.placed, { isolate })], engine: embedded(":memory:"), logger: silentLogger },
      [],
    );
    await expect(missing.start()).rejects.toMatchObject({ code: "OPTION_INVALID" });
    const web = { isolate: new URL("https://example.com/risk.js") };
    expect(() => service("s").on(orders.placed, web)).toThrow(/import\.meta\.url/);
    expect(() => service("s").on(orders.placed, { isolate: module } as object, () => {})).toThrow(/only one/);
  });
});
