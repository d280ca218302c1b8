import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { accountWith, open, payIn } from "../app/trial-accounts.js";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import type { LogRecord } from "../log/log.js";
import { partitionOf } from "../log/murmur2.js";
import { engineFromEnv } from "../main/engine-from-env.js";
import { service } from "../service/declare.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { trialDatabase } from "../testing/trial-database.js";
import { doomed } from "../testing/trial-lives.js";
import { endRealTrials, type RealTrial, realTrial } from "../testing/trial-real.js";
import { trialServers } from "../testing/trial-services.js";
import { counts, sharedWork, steps } from "../testing/trial-shared-work.js";

const kafka = await trialServers("kafka/1");
const database = kafka && (await trialDatabase());
vi.setConfig({ testTimeout: 240_000, hookTimeout: 60_000 });

const prefix = `m${randomBytes(5).toString("hex")}.`;
const env = {
  MILLRACE_STORE: `${database?.url}?pool=4`,
  MILLRACE_LOG: `kafka://${kafka?.address}?prefix=${prefix}&replicationFactor=1&minInsyncReplicas=1`,
  MILLRACE_ACCEPT_RISK: "replication-factor",
};
const soon = { timeout: 60_000, interval: 100 };
const act = () => ({ actor: "ann", reason: "a test", at: Date.now() });
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const keyOf = (n: number) => `k-${n % 40}`;
const publish = ({ app }: RealTrial, from: number, to: number) =>
  app.publish(numbers(from, to).map((n) => steps.taken({ key: keyOf(n), n })));

const Ring = z.object({ key: z.string(), n: z.int() });
const alarms = topic("alarms", { key: "key", partitions: 2, events: { rang: event("alarm.rang", Ring) } });
const account = accountWith({ snapshotEvery: 2 });

/** Counting and echoing; a bank; and one that arms timers, and does not take thirteen until it is told to. */
function services(lucky: boolean) {
  const once = { attemptsInPlace: 1, attemptsMax: 1 };
  const reminding = service("reminding")
    .owns(alarms)
    .on(steps.taken, { from: "beginning", emits: [alarms.rang], retry: once }, ({ data }, ctx) => {
      if (data.n === 13 && !lucky) throw new Error("unlucky");
      if (data.n % 1_000 === 0) ctx.after(data.n === 0 ? "15s" : "1h", alarms.rang(data));
    });
  return [...sharedWork(), reminding, service("bank").owns(account)];
}

const start = (engine: Engine, lucky = false) => realTrial({ engine, services: services(lucky) });
const consumers = async ({ running }: RealTrial) =>
  new Map((await running.engine.inspect.consumers(Date.now())).map((one) => [one.consumer, one]));

/** 3,000 steps; 500 of them, and an echo of each, are behind a pause; one is dead with others behind it; timers wait. */
async function lived(dir: string): Promise<void> {
  const t = await start(embedded(dir));
  await publish(t, 0, 2_500);
  await t.app.send(open({ account: "a-1", owner: "ann" }), { waitFor: "handled" });
  for (const pence of [1, 2, 3, 4])
    await t.app.send(payIn({ account: "a-1", pence, note: "" }), { waitFor: "handled" });
  await t.app.settled();
  await t.running.engine.operate.pause("echoing", act());
  await t.running.changed({ pauses: true });
  await publish(t, 2_500, 3_000);
  await vi.waitFor(async () => expect((await consumers(t)).get("counting")?.lagRecords).toBe(0), soon);
  await vi.waitFor(async () => expect((await consumers(t)).get("reminding")?.lagRecords).toBe(0), soon);
  await t.stop();
}

interface Held {
  /** By topic and key, ids in order. */
  readonly ids: Readonly<Record<string, readonly string[]>>;
  readonly counted: readonly (readonly number[])[];
  readonly consumers: readonly unknown[];
  readonly account: unknown;
  readonly dead: unknown;
  readonly timers: readonly unknown[];
}

/** What an engine has, as far as it must be the same on both sides. */
async function held(t: RealTrial): Promise<Held> {
  const { inspect } = t.running.engine;
  const ids: Record<string, string[]> = {};
  const thousandth = { correlation: "" };
  for (const record of await everything(t)) {
    if ((record.data as { n?: number }).n === 1_000) thousandth.correlation = record.correlationId;
    // A timer may ring at any moment.
    if (record.topic === "alarms") continue;
    const name = `${record.topic} ${record.key}`;
    ids[name] ??= [];
    ids[name].push(`${record.partition}/${record.id}`);
  }
  const timers = await inspect.timers(thousandth.correlation, 10);
  const dead = (await inspect.entries({ state: "dead", limit: 1 }))[0];
  return {
    ids,
    counted: await Promise.all(
      numbers(0, 40).map(async (n) => (await t.app.documents(counts).get(keyOf(n)))?.numbers ?? []),
    ),
    consumers: [...(await consumers(t)).values()].map(({ consumer, lagRecords, dead, following, paused }) => {
      return { consumer, lagRecords, dead, following, paused: paused?.reason };
    }),
    account: await t.app.aggregate(account).get("a-1"),
    dead: [dead?.record.data, dead?.failure?.message],
    timers: timers.map(({ due, armed, record }) => [due, armed?.consumer, record.type]),
  };
}

async function everything({ running }: RealTrial): Promise<readonly LogRecord[]> {
  const found: LogRecord[] = [];
  for (let after: string | undefined; ; ) {
    const page = { limit: 1_000, oldestFirst: true, ...(after === undefined ? {} : { after }) };
    const { events, next } = await running.engine.inspect.events(page);
    found.push(...events);
    if (next === undefined) return found;
    after = next;
  }
}

const main = fileURLToPath(new URL("../cli/main.js", import.meta.url));
const children = new Set<ChildProcess>();

/** `millrace migrate-engine`, in a process of its own. */
function migrating(dir: string, before: readonly string[] = []): ChildProcess {
  const args = [
    "migrate-engine",
    "--from",
    "embedded",
    "--to",
    "kafka+postgres",
    "--dir",
    dir,
    "--no-input",
    "-o",
    "json",
  ];
  const child = spawn(process.execPath, [...before, main, ...args], { env: { ...process.env, ...env } });
  children.add(child);
  return child;
}

/** Starts it, and kills it when the servers hold something that they did not. */
async function killedWhen(dir: string, holds: () => Promise<boolean>): Promise<void> {
  const child = migrating(dir, doomed);
  const exit = once(child, "exit");
  await vi.waitFor(async () => expect(child.signalCode ?? child.exitCode ?? (await holds())).not.toBe(false), {
    ...soon,
    interval: 5,
  });
  child.kill("SIGKILL");
  expect(await exit).toEqual([null, "SIGKILL"]);
}

async function moved(dir: string): Promise<{ topics: { topic: string; records: number; before: number }[] }> {
  const child = migrating(dir);
  let said = "";
  let wrong = "";
  child.stdout?.on("data", (text) => (said += text));
  child.stderr?.on("data", (text) => (wrong += text));
  const [code] = await once(child, "close");
  expect([code, wrong]).toEqual([0, ""]);
  return JSON.parse(said);
}

const pool = new pg.Pool({ connectionString: database?.url });
pool.on("error", () => {});
const rows = (sql: string) =>
  pool.query<{ n: number }>(sql).then(
    (found) => Number(found.rows[0]?.n ?? 0),
    () => 0,
  );

if (database === undefined) console.info("skipped: an engine moved to Kafka and PostgreSQL, there are none");
describe.skipIf(database === undefined)("an embedded engine that is moved to Kafka and PostgreSQL", () => {
  afterEach(async () => {
    for (const child of children) child.kill("SIGKILL");
    await endRealTrials();
    await endTrials();
  });
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  it("is there as it was though the move was killed twice, and goes on from there", async () => {
    const dir = tempFolder();
    await lived(dir);
    const old = await start(embedded(dir));
    const before = await held(old);
    await old.stop();

    const log = await engineOfLog();
    await killedWhen(dir, async () => (await log.records("steps")) > 0);
    const first = await log.records("steps");
    await killedWhen(dir, async () => (await rows("SELECT count(*) AS n FROM millrace_counting.mr_schema")) > 0);
    const { topics } = await moved(dir);
    expect(topics.find((one) => one.topic === "steps")).toMatchObject({ records: 3_000, before: 3_000 });
    expect(first).toBeGreaterThan(0);
    expect(await log.records("steps")).toBe(3_000);
    await log.close();

    const t = await start(engineFromEnv(env), true);
    const after = await held(t);
    expect(after.ids).toEqual(before.ids);
    for (const [name, ids] of Object.entries(after.ids)) {
      const [of, key] = name.split(" ") as [string, string];
      const partitions = { steps: 8, echoes: 1, accounts: 3, alarms: 2 }[of] ?? Number.NaN;
      if (!Number.isNaN(partitions)) expect(ids[0]).toMatch(new RegExp(`^${partitionOf(key, partitions)}/`));
    }
    expect(after).toEqual(before);
    expect(after.timers).toHaveLength(1);

    // What waited goes on: behind the pause, behind the dead letter, in timers; and nothing is done again.
    const { operate, inspect } = t.running.engine;
    await operate.resume("echoing", act());
    const [dead] = await inspect.entries({ state: "dead", limit: 10 });
    await operate.redrive([dead?.entry ?? 0], act());
    await t.running.changed({ pauses: true, lanes: "all" });
    await publish(t, 3_000, 3_040);
    await t.app.send(payIn({ account: "a-1", pence: 5, note: "" }), { waitFor: "handled", timeout: "30s" });
    expect(await t.app.aggregate(account).get("a-1")).toMatchObject({ version: 6, state: { pence: 15 } });
    await vi.waitFor(async () => {
      for (const one of (await consumers(t)).values())
        expect([one.consumer, one.lagRecords, one.dead + one.parked + one.following]).toEqual([one.consumer, 0, 0]);
    }, soon);
    const { counted } = await held(t);
    for (const [n, own] of counted.entries()) expect(own).toEqual(numbers(0, 76).map((nth) => n + 40 * nth));
    const ofTopic = async (name: string) =>
      new Map((await everything(t)).filter((one) => one.topic === name).map((one) => [one.id, one]));
    await vi.waitFor(async () => expect((await ofTopic("echoes")).size).toBe(3_040), soon);
    await vi.waitFor(async () => expect((await ofTopic("alarms")).size).toBe(1), soon);
    await vi.waitFor(async () => expect((await ofTopic("steps")).size).toBe(3_040), soon);
  });
});

/** How many records Kafka has of a topic, or none while it is not there. */
async function engineOfLog() {
  const { openServers } = await import("../main/engine-halves.js");
  const { halvesFromEnv } = await import("../main/engine-from-env.js");
  const { systemClock } = await import("../runtime/clock.js");
  const { silentLogger } = await import("../runtime/logger.js");
  const { systemRandom } = await import("../runtime/random.js");
  const servers = await openServers(halvesFromEnv(env)!);
  const log = await servers.log.open({ clock: systemClock, logger: silentLogger, random: systemRandom });
  return {
    records: async (name: string) => {
      if (!(await log.topics()).some((one) => one.name === name)) return 0;
      const [starts, ends] = [await log.starts(name), await log.ends(name)];
      return ends.reduce((sum, end, index) => sum + end - (starts[index] ?? 0), 0);
    },
    async close() {
      await log.close();
      await servers.end();
    },
  };
}
