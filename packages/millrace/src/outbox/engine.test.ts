import { beforeEach, describe, expect, it } from "vitest";
import type { Engine } from "../engine/engine.js";
import type { LogAdapter, LogTopic, OpenLog, OpenStore, Risk, StoreAdapter } from "../engine/halves.js";
import { isFailure } from "../failure/failure.js";
import type { TopicShape } from "../log/log.js";
import type { Logger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import type { Store } from "../store/store.js";
import type { Position } from "../store/unit.js";
import { type VirtualClock, virtualClock } from "../testing/virtual-clock.js";
import { type EngineOptions, engine } from "./engine.js";
import { TrialLog, TrialOutbox, TrialShards } from "./trial-outbox.js";

let clock: VirtualClock;
let lines: string[];
/** What happened to the halves, in order. */
let acts: string[];
let noted: (readonly [string, readonly number[]])[];
const logger: Logger = {
  debug() {},
  info: (_, text) => void lines.push(text),
  warn: (_, text) => void lines.push(`warning: ${text}`),
  error: (_, text) => void lines.push(`error: ${text}`),
  child: () => logger,
};

beforeEach(() => {
  [clock, lines, acts, noted] = [virtualClock(), [], [], []];
});

const position: Position = {
  ...{ id: 7, consumer: "counting", topic: "orders", partition: 0, epoch: 1, generation: 1, crashes: 0 },
  ...{ frontier: 41, finished: [] },
};
const shape = { name: "orders", partitions: 2, owner: "shop", key: "orderId", retentionMs: undefined };

interface HalfOptions {
  readonly risks?: readonly Risk[];
  readonly ends?: readonly number[];
  readonly incarnation?: string;
  readonly hangs?: boolean;
}

function logHalf({ risks = [], ends = [0, 0], incarnation = "i-1", hangs }: HalfOptions = {}): LogAdapter {
  const known = new Map<string, LogTopic>();
  const open = Object.assign(new TrialLog(), {
    ensureTopic: ({ name, partitions }: { name: string; partitions: number }) => {
      const topic = { name, partitions, incarnation };
      known.set(name, topic);
      return topic;
    },
    topics: () => [...known.values()],
    ends: () => ends,
    starts: () => ends.map(() => 0),
    offsetsAt: () => ends,
    read: () => ({ records: [], sizes: [], next: [], atEnd: true, bytes: 0 }),
    record: () => undefined,
    onAppended: () => () => {},
    note: (consumer: string, positions: readonly Position[]) =>
      void noted.push([consumer, positions.map(({ frontier }) => frontier)]),
    preflight: async () => risks,
    close: async () => {
      acts.push("log closed");
      if (hangs === true) await new Promise(() => {});
    },
  }) satisfies OpenLog;
  return { name: "kafka", open: async () => open };
}

function storeHalf({ risks = [] }: HalfOptions = {}): StoreAdapter {
  const topics = new Map<string, TopicShape>();
  const half = {
    store: {
      inbox: { windowMs: 1_000 },
      commit: () => [{ type: "committed", commit: 1 }],
      readPosition: () => position,
    } as unknown as Store,
    inspect: {} as OpenStore["inspect"],
    operate: {} as OpenStore["operate"],
    outbox: new TrialOutbox(new TrialShards("shop"), "me"),
    ensureTopic: async (topic: TopicShape) => {
      topics.set(topic.name, topic);
      return topic;
    },
    topics: async () => [...topics.values()],
    onHandled: () => () => {},
    onChanged: () => () => {},
    preflight: async () => risks,
    close: async () => void acts.push("store closed"),
  } satisfies OpenStore;
  return { name: "postgres", open: async () => half };
}

const made = (options: Partial<EngineOptions> = {}) => engine({ log: logHalf(), store: storeHalf(), ...options });
const opened = (one: Engine, acceptRisks?: readonly string[]) =>
  one.open({ clock, random: seededRandom(1), logger, ...(acceptRisks && { acceptRisks }) });

describe("an engine of a log and a store", () => {
  it("is named for both, and has a folder for the process's address", () => {
    expect(made({ dir: "/tmp/there" })).toMatchObject({ name: "kafka+postgres", dir: "/tmp/there" });
    const alone = engine({ log: { ...logHalf(), name: "postgres" }, store: storeHalf() });
    expect(alone.name).toBe("postgres");
    expect(alone.dir).toMatch(/\.millrace$/);
  });

  it("refuses what is no adapter, and options that there are not", () => {
    for (const wrong of [{ log: undefined }, { store: {} }, { acceptRisks: "all" }, { dir: 7 }, { risks: [] }])
      expect(() => made(wrong as never)).toThrow(expect.objectContaining({ code: "OPTION_INVALID" }));
  });

  it("refuses to start on risks, lists every one with its name, and how to accept it", async () => {
    const log = logHalf({ risks: [{ name: "min-insync-replicas", what: "min.insync.replicas is 1" }] });
    const store = storeHalf({ risks: [{ name: "synchronous-commit", what: "synchronous_commit is off" }] });
    const refused = await opened(made({ log, store })).catch((error: unknown) => error);
    expect(isFailure(refused, "RISK_REFUSED") && refused.message).toBe(
      "the servers have settings that would break what Millrace promises:\n" +
        "- min-insync-replicas: min.insync.replicas is 1\n- synchronous-commit: synchronous_commit is off\n" +
        "Mend them; or accept a risk by its name: millrace start --accept-risk min-insync-replicas, " +
        'MILLRACE_ACCEPT_RISK=min-insync-replicas,synchronous-commit, or acceptRisks: ["min-insync-replicas", "synchronous-commit"] of engine()',
    );
    expect(acts).toEqual(["store closed", "log closed"]);
  });

  it("starts when each risk is accepted, by the engine or by whoever starts it, and says so each time", async () => {
    const log = logHalf({ risks: [{ name: "min-insync-replicas", what: "min.insync.replicas is 1" }] });
    const store = storeHalf({ risks: [{ name: "synchronous-commit", what: "synchronous_commit is off" }] });
    const one = made({ log, store, acceptRisks: ["min-insync-replicas", "gone"] });
    const live = await opened(one, ["synchronous-commit"]);
    await live.close();
    expect(lines).toEqual([
      "warning: the risk min-insync-replicas is accepted: min.insync.replicas is 1",
      "warning: the risk synchronous-commit is accepted: synchronous_commit is off",
      "the risk gone is accepted, but there is none of this name here; take it out",
    ]);
  });

  it("closes what it has opened when the other half cannot be opened", async () => {
    const store: StoreAdapter = { name: "postgres", open: () => Promise.reject(new Error("no server")) };
    await expect(opened(made({ store }))).rejects.toThrow("no server");
    expect(acts).toEqual(["log closed"]);
  });

  it("closes the store before the log, and ends although one of them hangs", async () => {
    const live = await opened(made({ log: logHalf({ hangs: true }) }));
    const closing = live.close();
    await clock.advance(11_000);
    await closing;
    expect(acts).toEqual(["store closed", "log closed"]);
    expect(lines).toEqual(["error: a part of the engine could not be closed in order"]);
  });

  it("refuses a backup, and says what to use", async () => {
    const live = await opened(made());
    await expect(live.backup("/tmp/a.db")).rejects.toMatchObject({ code: "ENGINE_UNABLE", message: /pg_dump/ });
    await live.close();
  });

  it("has of a topic what the log knows and what is declared", async () => {
    const live = await opened(made());
    expect(await live.log.ensureTopic({ ...shape, streams: true })).toEqual({
      ...shape,
      streams: true,
      incarnation: "i-1",
    });
    expect(await live.log.topics()).toEqual([{ ...shape, streams: true, incarnation: "i-1" }]);
    await live.close();
  });

  it("makes no streams of a topic that has events", async () => {
    const live = await opened(made({ log: logHalf({ ends: [3, 0] }) }));
    await live.log.ensureTopic(shape);
    await expect(live.log.ensureTopic({ ...shape, streams: true })).rejects.toMatchObject({ code: "CONFLICT" });
    await live.close();
  });

  it("tells the log every few seconds how far consumers have come", async () => {
    const live = await opened(made());
    const unit = { claim: { type: "record", position, start: 40, offset: 40 } as const, reads: [], effects: {} };
    await live.store.commit([{ ...unit, lane: undefined }], []);
    expect(live.store.inbox).toEqual({ windowMs: 1_000 });
    await clock.advance(5_100);
    await clock.advance(10_000);
    expect(noted).toEqual([["counting", [41]]]);
    await live.store.commit([], [{ position, start: 41, end: 50 }]);
    await live.close();
    expect(noted).toHaveLength(2);
  });
});
