import { describe, expect, it } from "vitest";
import { z } from "zod";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import { millrace } from "../main/millrace.js";
import { service } from "../service/declare.js";

const Step = z.object({ key: z.string() });
const steps = topic("steps", { key: "key", events: { taken: event("step.taken", Step) } });
const walk = command("walk", Step, { key: "key" });
const engine = embedded(":memory:");

const on = (options: object) => () =>
  millrace({ engine, services: [service("s").on(steps.taken, options as never, () => {})] });
const handle = (options: object) => () =>
  millrace({ engine, services: [service("s").handle(walk, options as never, () => {})] });

describe("an option of flow control that cannot be used", () => {
  it.each<[object, string]>([
    [{ rateLimit: 100 }, 's, step.taken: rateLimit takes { events, per }, like { events: 100, per: "1s" }, not 100'],
    [{ rateLimit: { events: 0, per: "1s" } }, "s, step.taken: rateLimit.events takes a whole number from 1 on, not 0"],
    [{ rateLimit: { events: 1.5, per: "1s" } }, "rateLimit.events takes a whole number from 1 on, not 1.5"],
    [{ rateLimit: { events: 1 } }, "s, step.taken: rateLimit.per is"],
    [{ rateLimit: { events: 1, per: "1 s" } }, 's, step.taken: rateLimit.per is "1 s", which is not a duration'],
    [{ rateLimit: { events: 1, per: "0s" } }, "rateLimit allows 1 events per 0s, which limits nothing"],
    [{ rateLimit: { events: 1, per: "1s", burst: 0 } }, "rateLimit.burst takes a whole number from 1 on, not 0"],
    [{ perKey: { rateLimit: { events: -1, per: "1s" } } }, "s, step.taken: perKey.rateLimit.events takes"],
    [{ coalesce: "yes" }, 's, step.taken: coalesce is true or false, not "yes"'],
    [{ coalesce: false, debounce: { quiet: "1s" } }, "coalesce: false contradicts it"],
    [{ debounce: "1s" }, 's, step.taken: debounce takes { quiet, waitMax? }, like { quiet: "2s" }, not "1s"'],
    [{ debounce: {} }, "s, step.taken: debounce.quiet is undefined, which is not a duration"],
    [{ debounce: { quiet: "0ms" } }, "debounce.quiet is 0ms, and nothing would wait"],
    [{ debounce: { quiet: "2s", waitMax: "1s" } }, "debounce.waitMax is 1s, shorter than quiet, 2s"],
    [{ debounce: { quiet: "2s", waitMax: "long" } }, 'debounce.waitMax is "long", which is not a duration'],
  ])("%j is refused with what, which, where and what next", (options, message) => {
    expect(on(options)).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringContaining(message) }),
    );
  });

  it.each([{ coalesce: true }, { debounce: { quiet: "1s" } }])("%j is refused for commands", (options) => {
    expect(handle(options)).toThrow(
      expect.objectContaining({
        code: "OPTION_INVALID",
        message: expect.stringContaining("s, walk: coalesce and debounce are for events; each command has a caller"),
      }),
    );
  });

  it("is told from one that can", () => {
    const limit = { events: 100, per: "1s" } as const;
    expect(on({ rateLimit: limit, perKey: { rateLimit: limit }, debounce: { quiet: "1s" } })).not.toThrow();
    expect(on({ perKey: {}, coalesce: false })).not.toThrow();
    expect(handle({ rateLimit: { ...limit, burst: 3 }, perKey: { rateLimit: limit } })).not.toThrow();
  });
});
