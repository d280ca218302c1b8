import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { silentLogger } from "../runtime/logger.js";
import { service } from "../service/declare.js";
import { endTrials, gate, Trial, tempFolder, trial } from "../testing/trial.js";
import type { AppOptions, Extension } from "./app.js";
import { createApp } from "./create.js";

afterEach(endTrials);

const ticks = topic("ticks", { key: "key", events: { passed: event("tick.passed", z.object({ key: z.string() })) } });
const ticking = (cron: string) =>
  service("ticking")
    .owns(ticks)
    .schedule("often", { cron }, () => ticks.passed({ key: "a" }));

describe("starting", () => {
  it("releases the file when a schedule is not understood", async () => {
    const dir = tempFolder();
    await expect(trial([ticking("now and then")], { dir })).rejects.toMatchObject({ code: "OPTION_INVALID" });
    await expect(trial([ticking("* * * * *")], { dir })).resolves.toBeInstanceOf(Trial);
  });

  it("is given up, and the file released, when the app is stopped meanwhile", async () => {
    const dir = tempFolder();
    const slow = gate();
    const real = embedded(dir);
    const open: Engine["open"] = (context) => slow.opened.then(() => real.open(context));
    const engine: Engine = { ...real, open };
    const t = new Trial([ticking("* * * * *")], { engine });
    const starting = expect(t.app.start()).rejects.toMatchObject({ code: "APP_STOPPED" });
    await t.stop();
    slow.open();
    await starting;
    await expect(trial([ticking("* * * * *")], { dir })).resolves.toBeInstanceOf(Trial);
  });

  it("names services that are missing", () => {
    expect(() => createApp({} as AppOptions, [])).toThrow(
      expect.objectContaining({ code: "OPTION_INVALID", message: expect.stringMatching(/services/) }),
    );
  });
});

describe("stopping", () => {
  const stubborn: Extension = {
    name: "stubborn",
    start: async () => {},
    stop: async () => {
      throw new Error("it will not stop");
    },
  };

  it("releases the file although a part of the app fails to stop, and says so", async () => {
    const dir = tempFolder();
    const services = [ticking("* * * * *")];
    const app = createApp({ services, engine: embedded(dir), signals: false, logger: silentLogger }, [stubborn]);
    await app.start();
    await expect(app.stop()).rejects.toThrow("it will not stop");
    await app.closed;
    await expect(trial([ticking("* * * * *")], { dir })).resolves.toBeInstanceOf(Trial);
  });

  it("tells those who wait until everything is handled that it will not be", async () => {
    const hung = service("hung").on(ticks.passed, () => new Promise(() => {}));
    const t = await trial([ticking("0 0 1 1 *"), hung]);
    await t.app.publish(ticks.passed({ key: "a" }));
    const settled = expect(t.app.settled()).rejects.toMatchObject({ code: "APP_STOPPED" });
    await t.stop();
    await settled;
  });
});
