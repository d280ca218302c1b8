import { describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import { service } from "../service/declare.js";
import { gate, Trial } from "../testing/trial.js";
import { remote } from "../testing/trial-remote.js";
import { virtualClock } from "../testing/virtual-clock.js";
import type { App, Extension } from "./app.js";
import { createApp } from "./create.js";

const jobs = topic("jobs", { key: "key", events: { given: event("job.given", z.object({ key: z.string() })) } });

describe("an app that is stopped while it starts", () => {
  it("ends what it has started, starts nothing more, and says that it does not run", async () => {
    const acts: string[] = [];
    const extension = (name: string, starting: (app: App) => Promise<void>): Extension => ({
      name,
      async start(app) {
        acts.push(`start ${name}`);
        await starting(app);
      },
      async stop() {
        acts.push(`stop ${name}`);
      },
    });
    const none = async () => undefined;
    const stopping = extension("second", (app) => app.stop());
    const app = createApp({ services: [service("empty")], engine: embedded(":memory:") }, [
      extension("first", none),
      stopping,
      extension("third", none),
    ]);
    await expect(app.start()).rejects.toMatchObject({ code: "APP_STOPPED" });
    await app.closed;
    expect(acts).toEqual(["start first", "start second", "stop first", "stop second"]);
  });

  it("begins nothing, though its store goes on answering", async () => {
    const [reached, go] = [gate(), gate()];
    const before = (call: string) => {
      if (call !== "readPause") return;
      reached.open();
      return go.opened;
    };
    const engine = remote({ before });
    const lasting: Engine = {
      ...engine,
      open: async (context) => Object.assign(Object.create(await engine.open(context)), { close: async () => {} }),
    };
    const t = new Trial([service("working").on(jobs.given, () => {})], { engine: lasting, signals: true });
    const heard = process.listenerCount("SIGTERM");
    const starting = t.app.start();
    await reached.opened;
    await t.stop();
    go.open();
    await expect(starting).rejects.toMatchObject({ code: "APP_STOPPED" });
    expect(process.listenerCount("SIGTERM")).toBe(heard);
  });

  /** The file, behind gates: opening it, and closing it, take as long as a test likes. */
  function slowly() {
    const [opening, open, closing, close] = [gate(), gate(), gate(), gate()];
    const file = embedded(":memory:");
    const engine: Engine = {
      ...file,
      async open(context) {
        opening.open();
        await open.opened;
        const opened = await file.open(context);
        const closeFile = opened.close.bind(opened);
        const end = async () => {
          closing.open();
          await close.opened;
          await closeFile();
        };
        return Object.assign(opened, { close: end });
      },
    };
    return { engine, opening, open, closing, close };
  }

  it("has stopped once the engine that was being opened is closed", async () => {
    const { engine, opening, open, closing, close } = slowly();
    const app = createApp({ services: [service("empty")], engine }, []);
    const starting = app.start();
    await opening.opened;
    let stopped = false;
    const stopping = app.stop().then(() => {
      stopped = true;
    });
    open.open();
    await closing.opened;
    // A stop that waits for the opening alone is over in a turn.
    await new Promise((resolve) => setImmediate(resolve));
    expect(stopped).toBe(false);
    close.open();
    await stopping;
    await app.closed;
    await expect(starting).rejects.toMatchObject({ code: "APP_STOPPED" });
  });

  it("does not wait for an engine that is never opened longer than the drain time", async () => {
    const { engine, opening } = slowly();
    const clock = virtualClock();
    const app = createApp({ services: [service("empty")], engine, clock, drain: "3s" }, []);
    const starting = app.start();
    await opening.opened;
    const stopping = app.stop();
    await clock.advance(3_000);
    await stopping;
    await app.closed;
    expect(await Promise.race([starting, "still starting"])).toBe("still starting");
  });

  it("is started once, though it is asked twice at once", async () => {
    const { engine, open, close } = slowly();
    const app = createApp({ services: [service("empty")], engine }, []);
    const starting = app.start();
    await expect(app.start()).rejects.toMatchObject({ code: "APP_STOPPED" });
    open.open();
    await starting;
    close.open();
    await app.stop();
  });

  it("may be started again when its engine could not be opened", async () => {
    const [file, errors] = [embedded(":memory:"), [new Failure("STORE_UNAVAILABLE", "away")]];
    const open: Engine["open"] = async (context) => {
      const error = errors.pop();
      if (error !== undefined) throw error;
      return file.open(context);
    };
    const app = createApp({ services: [service("empty")], engine: { ...file, open } }, []);
    await expect(app.start()).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await app.start();
    await app.stop();
  });
});
