import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { documents } from "../contract/documents.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { partitionOf } from "../log/murmur2.js";
import { service } from "../service/declare.js";
import type { Unit } from "../store/unit.js";
import { faulty } from "../testing/faulty-store.js";
import { endTrials, type Trial, trial } from "../testing/trial.js";
import { remote } from "../testing/trial-remote.js";

afterEach(endTrials);

const shape = z.object({ key: z.string(), lines: z.array(z.int()) });
const baskets = topic("baskets", { key: "key", partitions: 3, events: { filled: event("basket.filled", shape) } });
const counters = documents("counters", z.object({ id: z.string(), n: z.int() }), { id: "id" });
const host = () => service("host").owns(baskets);
const filled = (key: string) => baskets.filled({ key, lines: [1, 2] });
const dayMs = 86_400_000;

/** An event that reached the log so long after its own time. */
async function late(t: Trial, key: string, afterMs: number): Promise<void> {
  const record = {
    ...{ topic: "baskets", partition: partitionOf(key, 3), id: `late-${key}`, source: "host", type: "basket.filled" },
    ...{ version: 1, key, time: t.clock.now() - afterMs, correlationId: undefined, causationId: undefined, hops: 0 },
    ...{ headers: undefined, data: JSON.stringify({ key, lines: [1] }), named: false, offset: -1 },
  };
  await t.running.engine.log.append([record]);
}

describe("on an engine that answers later", () => {
  it("a handler that changes its event's data changes no later attempt, nor the dead letter", async () => {
    const seen: number[][] = [];
    const retry = { attemptsInPlace: 2, attemptsMax: 3, backoffFirst: "1ms" } as const;
    const till = service("till").on(baskets.filled, { retry }, ({ data }) => {
      seen.push([...data.lines]);
      data.lines.pop();
      throw new Error("the printer is away");
    });
    const t = await trial([host(), till], { engine: remote() });
    await t.app.publish(filled("a"));
    await t.rest();
    expect(seen).toEqual([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    expect((await t.entries()).map(({ record }) => record.data)).toEqual([{ key: "a", lines: [1, 2] }]);
  });

  it("a handler that throws over what has changed since runs again, and nothing counts against its event", async () => {
    let attempts = 0;
    let runs = 0;
    const till = service("till").on(baskets.filled, { retry: { attemptsMax: 1 } }, async ({ data }, ctx) => {
      runs += 1;
      attempts = Math.max(attempts, ctx.attempt);
      const n = (await ctx.documents(counters).get("all"))?.n ?? 0;
      if (data.key === "changes") return ctx.documents(counters).put({ id: "all", n: 1 });
      // The other one is stored before this one ends.
      if (n === 0) {
        await t.until(async () => (await t.app.documents(counters).get("all")) !== undefined);
        throw new Error("nothing has been counted");
      }
    });
    const t: Trial = await trial([host(), till], { engine: remote() });
    await t.app.publish([filled("reads"), filled("changes")]);
    await t.rest();
    expect([runs, attempts, await t.entries()]).toEqual([3, 1, []]);
  });

  it("an entry runs once, however often its lane is looked at while the store is asked for it", async () => {
    const ran: number[] = [];
    const till = service("till").on(
      baskets.filled,
      { retry: { attemptsInPlace: 1, backoffFirst: "10ms" } },
      (_, ctx) => {
        ran.push(ctx.attempt);
        if (ctx.attempt < 3) throw new Error("not yet");
      },
    );
    const looking: { t?: Trial } = {};
    const before = (call: string) => {
      if (call === "readEntry") void looking.t?.running.lanesChanged([{ consumer: "till", lane: "key:a" }]);
    };
    const t = await trial([host(), till], { engine: remote({ before }) });
    looking.t = t;
    await t.app.publish(filled("a"));
    await t.rest();
    expect([ran, await t.entries()]).toEqual([[1, 2, 3], []]);
  });

  it("a consumer waits for a store that is away, and goes on", async () => {
    let away = 0;
    const handled: string[] = [];
    const till = service("till").on(baskets.filled, { retry: { attemptsInPlace: 1 } }, ({ data }, ctx) => {
      if (ctx.attempt === 1) throw new Error("once");
      handled.push(data.key);
    });
    const before = (call: string) => {
      if (call !== "readEntry" && call !== "readLaneHead") return;
      away += 1;
      if (away < 5) throw new Failure("STORE_UNAVAILABLE", "the database restarts");
    };
    const t = await trial([host(), till], { engine: remote({ before }) });
    await t.app.publish(filled("a"));
    await t.rest();
    expect([handled, t.status("till").state, away > 4]).toEqual([["a"], "running", true]);
  });
});

describe("a claim of an event that the log may hold twice", () => {
  it("names the event, also where it joins a lane that waits", async () => {
    const claimed: (readonly string[] | undefined)[] = [];
    const before = (units: readonly Unit[]) => {
      for (const { claim } of units) if (claim.type === "record") claimed.push(claim.events?.map(({ id }) => id));
    };
    const till = service("till").on(baskets.filled, { retry: { attemptsMax: 1 } }, () => {
      throw new Error("it never works");
    });
    const t = await trial([host(), till], { engine: faulty(remote({ inbox: { windowMs: dayMs } }), { before }) });
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      ids.push((await t.app.publish(filled("a"))).id);
      await t.rest();
    }
    expect((await t.entries()).map(({ state }) => state)).toEqual(["dead", "following", "following"]);
    expect(claimed).toEqual(ids.map((id) => [id]));
  });
});

describe("an event that reached the log later than the inbox remembers", () => {
  it("is a dead letter for LATE_COPY until an operator says that it is none", async () => {
    const handled: string[] = [];
    const till = service("till").on(baskets.filled, ({ data }) => void handled.push(data.key));
    const t = await trial([host(), till], { engine: remote({ inbox: { windowMs: 10 * dayMs } }) });
    await late(t, "old", 11 * dayMs);
    await late(t, "young", 9 * dayMs);
    await t.rest();
    const [entry, ...others] = await t.entries();
    expect([handled, entry?.state, entry?.failure?.code, others]).toEqual([["young"], "dead", "LATE_COPY", []]);
    await t.running.engine.operate.redrive([entry?.entry ?? 0], { actor: "ann", reason: "it is none", at: 1 });
    await t.running.lanesChanged([{ consumer: "till", lane: "key:old" }]);
    await t.rest();
    expect([handled, await t.entries()]).toEqual([["young", "old"], []]);
  });
});
