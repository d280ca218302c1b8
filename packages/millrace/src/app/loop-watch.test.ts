import { afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { App } from "./app.js";
import { createApp } from "./create.js";
import { LoopWatch, loopWatch } from "./loop-watch.js";

let app: App | undefined;
const watches: LoopWatch[] = [];
afterEach(async () => {
  await app?.stop();
  app = undefined;
  for (const watch of watches.splice(0)) watch.close();
});

const Job = z.object({ key: z.string() });
const jobs = topic("jobs", { key: "key", events: { given: event("job.given", Job), noted: event("job.noted", Job) } });

/** Computes: nothing else of the process runs meanwhile. */
function spin(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

function listening() {
  const warnings: { readonly fields: { handlers?: unknown; delayMs?: number }; readonly message: string }[] = [];
  const logger = {
    ...silentLogger,
    warn: (fields: object, message: string) => void warnings.push({ fields, message }),
  };
  return { warnings, logger };
}

describe("an event loop that stands still", () => {
  it("is warned of, with the handlers that were running and the way out", async () => {
    const { warnings, logger } = listening();
    const computing = service("computing")
      .on(jobs.noted, () => {})
      .on(jobs.given, async () => {
        await null;
        spin(400);
      });
    app = createApp({ services: [computing], engine: embedded(":memory:"), logger, signals: false, drain: "1s" }, []);
    await app.start();
    await vi.waitFor(async () => {
      await app?.publish([jobs.noted({ key: "b" }), jobs.given({ key: "a" })]);
      await app?.settled();
      expect(warnings).toHaveLength(1);
    }, 10_000);
    expect(warnings[0]?.message).toMatch(/stood still for \d+ ms.*running were: computing \(job\.given\)\. .*isolate/);
    expect(warnings[0]?.fields.delayMs).toBeGreaterThan(300);
    expect(warnings[0]?.fields.handlers).toEqual(["computing (job.given)"]);
  }, 15_000);

  it("is warned of once a minute, and only above the bound", async () => {
    const clock = virtualClock();
    const above = listening();
    const below = listening();
    watches.push(
      new LoopWatch({ clock, logger: above.logger, delayMsMax: 100 }),
      new LoopWatch({ clock, logger: below.logger, delayMsMax: 60_000 }),
    );
    for (const watch of watches) watch.start([]);
    /** The loop stands still until a watch that has not warned before says so. */
    const standstill = async () => {
      const control = listening();
      const watch = new LoopWatch({ clock, logger: control.logger, delayMsMax: 100 });
      watches.push(watch);
      watch.start([]);
      await vi.waitFor(async () => {
        spin(200);
        await clock.advance(1_000);
        expect(control.warnings).toHaveLength(1);
      }, 10_000);
    };
    await standstill();
    await standstill();
    await standstill();
    expect(above.warnings).toHaveLength(1);
    await clock.advance(60_000);
    await standstill();
    expect(above.warnings).toHaveLength(2);
    expect(above.warnings[0]?.message).toMatch(/no handler was running/);
    expect(below.warnings).toEqual([]);
  }, 60_000);

  it("is told from a process that was stopped, which did not compute", async () => {
    const clock = virtualClock();
    const { warnings, logger } = listening();
    const watch = new LoopWatch({ clock, logger, delayMsMax: 100 });
    watches.push(watch);
    watch.start([]);
    const nothing = new Int32Array(new SharedArrayBuffer(4));
    await vi.waitFor(async () => {
      Atomics.wait(nothing, 0, 0, 1_500);
      await clock.advance(60_000);
      expect(warnings.map(({ message }) => message)).toContainEqual(expect.stringMatching(/did not compute .*SIGSTOP/));
    }, 20_000);
    expect(warnings.at(-1)?.message).not.toContain("isolate");
  }, 30_000);

  it("is not watched when turned off, nor with a test's clock unless asked", () => {
    const clock = virtualClock();
    expect(loopWatch({ loopDelayMax: false }, silentLogger)).toBeUndefined();
    expect(loopWatch({ clock }, silentLogger)).toBeUndefined();
    expect(loopWatch({ clock, loopDelayMax: "1s" }, silentLogger)?.slowRuns.ms).toBe(1_000);
    expect(loopWatch({}, silentLogger)?.slowRuns.ms).toBe(200);
  });
});
