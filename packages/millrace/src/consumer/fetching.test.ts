import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { faulty } from "../testing/faulty-store.js";
import { endTrials, gate, tempFolder, trial } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";

afterEach(endTrials);

const Step = z.object({ key: z.string(), n: z.int() });
const steps = topic("steps", { key: "key", partitions: 2, events: { taken: event("step.taken", Step) } });
const jumps = topic("jumps", { key: "key", partitions: 2, events: { made: event("jump.made", Step) } });
const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

/** The engine, and how often its log was read. */
function counted(dir = ":memory:") {
  const inner = faulty(embedded(dir), {});
  const reads: string[] = [];
  const engine: Engine = {
    ...inner,
    async open(context) {
      const open = await inner.open(context);
      const { log } = open;
      return {
        ...open,
        log: {
          ...log,
          read: (request) => {
            reads.push(request.topic);
            return log.read(request);
          },
        },
      };
    },
  };
  return { engine, reads };
}

describe("a consumer whose oldest event takes long", () => {
  it("goes on for ten thousand events of its partition, not further, and reads nothing in vain meanwhile", async () => {
    const closed = gate();
    const { engine, reads } = counted();
    let handled = 0;
    const t = await trial(
      [
        service("slow").on(steps.taken, async ({ data }) => {
          if (data.n === 0) await closed.opened;
          else handled += 1;
        }),
      ],
      { engine },
    );
    // All of one key's partition: the others are empty.
    for (let from = 0; from < 12_000; from += 1_000)
      await t.app.publish(numbers(1_000).map((n) => steps.taken({ key: from + n === 0 ? "a" : "b", n: from + n })));
    let before = -1;
    while (handled !== before) {
      before = handled;
      for (let turns = 0; turns < 200; turns += 1) await turn();
    }
    const bound = handled;
    expect([0, 12_000 - 1]).not.toContain(bound);
    expect(bound).toBeGreaterThanOrEqual(9_000);
    expect(bound).toBeLessThanOrEqual(10_600);
    const quiet = reads.length;
    for (let turns = 0; turns < 500; turns += 1) await turn();
    expect(reads.length - quiet).toBeLessThanOrEqual(1);
    closed.open();
    await t.rest();
    expect(handled).toBe(11_999);
  });
});

describe("a key with a long queue of slow events", () => {
  it("does not hold up the other keys, or the other handlers of its consumer", async () => {
    const clock = virtualClock();
    const at = new Map<string, number>();
    const slowly = () => new Promise<void>((resolve) => clock.after(1_000, resolve));
    const t = await trial(
      [
        service("busy")
          .on(steps.taken, async ({ key }) => {
            if (key === "hot") await slowly();
            at.set(`step ${key}`, clock.monotonic());
          })
          .on(jumps.made, { concurrency: 1 }, async ({ key }) => {
            if (key !== "last") await slowly();
            at.set(`jump ${key}`, clock.monotonic());
          }),
        service("owner").owns(steps, jumps),
      ],
      { clock },
    );
    for (let from = 0; from < 800; from += 100) {
      await t.app.publish(numbers(100).map((n) => steps.taken({ key: "hot", n: from + n })));
      await t.app.publish(numbers(100).map((n) => jumps.made({ key: `j${from + n}`, n })));
    }
    await t.app.publish(numbers(300).map((n) => steps.taken({ key: `k${n}`, n })));
    await t.until(() => at.has("step k299"));
    expect(clock.monotonic()).toBeLessThan(5_000);
    await t.rest();
    expect(at.get("step hot")).toBeGreaterThanOrEqual(800_000);
    expect(at.size).toBe(1 + 300 + 800);
  });
});

describe("a handler that returns a promise of its own making", () => {
  it("is awaited, whatever library made the promise", async () => {
    const closed = gate();
    let ended = false;
    const t = await trial([
      service("lazy").on(steps.taken, (_, ctx) => {
        // biome-ignore lint/suspicious/noThenProperty: query builders are such objects, they run when they are awaited
        const query = { then: (resolve: () => void) => void closed.opened.then(() => ctx.id()).then(resolve) };
        return query as unknown as Promise<void>;
      }),
    ]);
    await t.app.publish(steps.taken({ key: "a", n: 0 }));
    const settled = t.app.settled().then(() => {
      ended = true;
    });
    await t.clock.advance(100);
    expect(ended).toBe(false);
    closed.open();
    await settled;
    expect(await t.entries()).toEqual([]);
  });
});

describe("a consumer of two topics", () => {
  it("is not kept from one by the backlog of the other", async () => {
    const seen: string[] = [];
    const dir = tempFolder();
    const t = await trial([service("owner").owns(steps, jumps)], { dir });
    for (let from = 0; from < 5_000; from += 100)
      await t.app.publish(numbers(100).map((n) => steps.taken({ key: `k${n}`, n: from + n })));
    await t.app.publish(jumps.made({ key: "j", n: 1 }));
    const again = await t.again([
      service("owner").owns(steps, jumps),
      service("both")
        .on(steps.taken, { from: "beginning" }, () => void seen.push("step"))
        .on(jumps.made, { from: "beginning" }, () => void seen.push("jump")),
    ]);
    await again.rest();
    expect(seen.indexOf("jump")).toBeLessThan(2_000);
    expect(seen).toHaveLength(5_001);
  });

  it("hears both, whichever comes while the other rests", async () => {
    const seen: string[] = [];
    const t = await trial([
      service("both")
        .on(steps.taken, ({ data }) => void seen.push(`step ${data.n}`))
        .on(jumps.made, ({ data }) => void seen.push(`jump ${data.n}`)),
    ]);
    for (const n of numbers(20)) {
      await t.app.publish((n % 3 === 0 ? steps.taken : jumps.made)({ key: "a", n }));
      if (n % 4 === 0) await t.rest();
    }
    await t.rest();
    expect(seen.map((line) => Number(line.split(" ")[1])).sort((a, b) => a - b)).toEqual(numbers(20));
  });
});

describe("a failure whose verdict is stop", () => {
  const strict = (broken: () => boolean) =>
    service("strict").on(steps.taken, ({ data }) => {
      if (data.n === 1 && broken()) throw new Failure("OPTION_INVALID", "the limit of account 7 is not a number");
      handled.push(`strict ${data.n}`);
    });
  const easy = () => service("easy").on(steps.taken, ({ data }) => void handled.push(`easy ${data.n}`));
  const handled: string[] = [];
  afterEach(() => void handled.splice(0));

  it("halts that consumer alone, says so, and its event is the first of the next start", async () => {
    const t = await trial([strict(() => true), easy()], { dir: tempFolder() });
    for (const n of [0, 1, 2]) {
      await t.app.publish(steps.taken({ key: "a", n }));
      await (n === 0 ? t.rest() : t.restBeside("strict"));
    }
    expect(t.status("strict")).toMatchObject({ state: "stopped", failure: { code: "OPTION_INVALID" } });
    expect(t.status("easy").state).toBe("running");
    expect(t.lines.find((line) => line.level === "error")).toMatchObject({
      fields: { consumer: "strict", code: "OPTION_INVALID" },
      message: expect.stringContaining("strict stopped: the limit of account 7"),
    });
    expect(await t.entries()).toEqual([]);
    const again = await t.again([strict(() => false), easy()]);
    await again.rest();
    expect(handled.filter((line) => line.startsWith("strict"))).toEqual(["strict 0", "strict 1", "strict 2"]);
    expect(handled.filter((line) => line.startsWith("easy"))).toEqual(["easy 0", "easy 1", "easy 2"]);
  });
});

describe("at rest", () => {
  it("is reached when nobody hears what is published last", async () => {
    const t = await trial([service("owner").owns(jumps), service("hearing").on(steps.taken, () => turn())]);
    for (let round = 0; round < 50; round += 1) {
      const publishing = [
        t.app.publish(steps.taken({ key: "a", n: round })),
        t.app.publish(jumps.made({ key: "a", n: round })),
      ];
      const resting = t.rest();
      publishing.push(t.app.publish(jumps.made({ key: "b", n: round })));
      await Promise.all([...publishing, resting]);
    }
    expect((await t.running.engine.inspect.consumers(0))[0]?.lagRecords).toBe(0);
  });
});
