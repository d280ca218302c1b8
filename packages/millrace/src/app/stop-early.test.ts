import { describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { service } from "../service/declare.js";
import { gate, Trial } from "../testing/trial.js";
import { remote } from "../testing/trial-remote.js";
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
});
