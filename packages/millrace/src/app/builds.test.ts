import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { afterEach, expect, it } from "vitest";
import { localAdmin } from "../admin/local.js";
import { embedded } from "../embedded/embedded.js";
import { silentLogger } from "../runtime/logger.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import type { App, Running } from "./app.js";
import { createApp } from "./create.js";
import { steps, sumsViews, trialViews } from "./trial-views.js";

const children = new Set<ChildProcess>();
const apps: App[] = [];
afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  for (const app of apps.splice(0)) await app.stop();
  await endTrials();
});

/** A process that folds; see views-process.ts. */
async function folding(dir: string): Promise<ChildProcess> {
  const file = new URL("./views-process.js", import.meta.url).pathname;
  const child = spawn(process.execPath, [file, dir], { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  await once(child.stdout as NonNullable<typeof child.stdout>, "data");
  return child;
}

/** An app that publishes and reads, and folds nothing. */
async function publishing(dir: string) {
  let running: Running | undefined;
  const look = {
    name: "look",
    start: async (_: App, seen: Running) => {
      running = seen;
    },
    stop: async () => {},
  };
  const options = { services: trialViews(), engine: embedded(dir), logger: silentLogger, signals: false };
  const app = createApp(options, [look]);
  apps.push(app);
  await app.start({ services: ["owner"] });
  const seen = running as unknown as Running;
  const now = () => seen.clock.now();
  const stopping = new AbortController().signal;
  const admin = localAdmin({
    inspect: seen.engine.inspect,
    dir: undefined,
    now,
    stopping,
    live: { app, running: seen },
  });
  return { app, admin };
}

const keys = 200;
const why = { actor: "ann", reason: "a test" };

it("is folded, read by token, rebuilt and swapped across processes, of which one is killed in the middle", {
  timeout: 120_000,
}, async () => {
  const dir = tempFolder();
  const { app, admin } = await publishing(dir);
  const rows = app.projection(sumsViews[0]);
  let n = -1;
  let token = "";
  const round = async () => {
    n += 1;
    const events = Array.from({ length: keys }, (_, key) => steps.added({ id: `k-${key}`, n }));
    token = (await app.publish(events))[keys - 1]?.token as string;
  };
  for (let i = 0; i < 40; i += 1) await round();
  const first = await folding(dir);
  expect(await rows.get(`k-${keys - 1}`, { after: token, wait: "30s" })).toEqual({
    sum: (n * (n + 1)) / 2,
    count: n + 1,
    last: n,
  });
  await admin.rebuildProjection({ ...why, projection: "sums@1" });
  for (let i = 0; i < 20; i += 1) await round();
  first.kill("SIGKILL");
  await once(first, "exit");
  for (let i = 0; i < 20; i += 1) await round();
  const second = await folding(dir);
  const swapping = admin.swapProjection({ ...why, projection: "sums@2", waitMs: 60_000 });
  for (let i = 0; i < 20; i += 1) await round();
  expect(await swapping).toMatchObject({ changed: 1, consumer: "views.sums@2" });
  await round();
  expect(await rows.get(`k-${keys - 1}`, { after: token, wait: "30s" })).toMatchObject({ last: n });
  expect(await admin.verifyProjection({ projection: "sums" })).toMatchObject({ equal: true, consumer: "views.sums@2" });
  await admin.swapProjection({ ...why, projection: "sums@1.2", waitMs: 60_000 });
  expect(await admin.verifyProjection({ projection: "sums" })).toMatchObject({
    equal: true,
    consumer: "views.sums@1.2",
  });
  expect(await admin.compareProjections({ projection: "sums", with: "sums@2" })).toMatchObject({
    equal: keys,
    different: 0,
  });
  expect(await admin.deadLetters({ limit: 1 })).toMatchObject({ entries: [] });
  second.kill("SIGKILL");
});
