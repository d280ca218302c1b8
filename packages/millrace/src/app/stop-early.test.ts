import { describe, expect, it } from "vitest";
import { embedded } from "../embedded/embedded.js";
import { service } from "../service/declare.js";
import type { App, Extension } from "./app.js";
import { createApp } from "./create.js";

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
});
