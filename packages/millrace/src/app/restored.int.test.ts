import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import type { Engine } from "../engine/engine.js";
import type { LogAdapter } from "../engine/halves.js";
import { kafkaLog } from "../kafka/kafka.js";
import { engine } from "../outbox/engine.js";
import { postgresLog } from "../postgres/log.js";
import { postgresStore } from "../postgres/postgres-store.js";
import { endTrials, type Gate, gate, tempFolder } from "../testing/trial.js";
import { trialDatabase } from "../testing/trial-database.js";
import { endRealTrials, type RealTrial, realTrial } from "../testing/trial-real.js";
import { trialServers } from "../testing/trial-services.js";
import { counts, loggedIn, sharedWork, steps } from "../testing/trial-shared-work.js";

const run = promisify(execFile);
const tools = await run("pg_dump", ["--version"]).then(
  () => true,
  () => false,
);
const kafka = await trialServers("kafka/1");
const here = await trialServers("postgres");
const elsewhere = tools ? await trialServers("postgres", "own") : undefined;
vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const ended: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await endRealTrials();
  await endTrials();
  for (const end of ended.splice(0)) await end();
});
afterAll(() => elsewhere?.close());

/** A log whose answer to appends is lost while the gate is closed: they are there, and the relay does not know. */
function deaf(adapter: LogAdapter, answers: () => Promise<void>): LogAdapter {
  return {
    ...adapter,
    async open(context) {
      const log = await adapter.open(context);
      return {
        ...log,
        async append(records) {
          await log.append(records);
          await answers();
        },
      };
    },
  };
}

interface Place {
  readonly url: string;
  readonly prefix: string | undefined;
}

function engineOn({ url, prefix }: Place, answers = async () => {}): Engine {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  pool.on("error", () => {});
  ended.push(() => pool.end());
  const log =
    prefix === undefined
      ? postgresLog({ pool })
      : kafkaLog({ client: { bootstrapBrokers: kafka?.address.split(",") ?? [] }, prefix });
  return engine({ log: deaf(log, answers), store: postgresStore({ pool }), acceptRisks: ["replication-factor"] });
}

const keys = ["a", "b", "c", "d"];
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const publish = ({ app }: RealTrial, from: number, to: number) =>
  app.publish(numbers(from, to).map((n) => steps.taken({ key: keys[n % 4] as string, n })));

/** What each key has counted, in its order. */
async function counted({ app }: RealTrial): Promise<readonly (readonly number[])[]> {
  return Promise.all(keys.map(async (key) => (await app.documents(counts).get(key))?.numbers ?? []));
}

/** All that was counted, once it is all that the log has, and one of these many. */
async function cameTo(t: RealTrial, many: readonly number[]): Promise<readonly number[]> {
  return vi.waitFor(
    async () => {
      const found = (await counted(t)).flat().sort((a, b) => a - b);
      const logged = (await loggedIn(t.running, "steps")).map(({ n }) => n).sort((a, b) => a - b);
      expect([found, many]).toEqual([logged, expect.arrayContaining([found.length])]);
      return found;
    },
    { timeout: 60_000, interval: 100 },
  );
}

async function fresh(servers: typeof here): Promise<string> {
  const database = await trialDatabase(servers);
  if (database === undefined) throw new Error("PostgreSQL has gone");
  ended.push(() => database.drop());
  return database.url;
}

/** A backup of a database in use, as of some moment while more is published. */
async function backup(url: string): Promise<string> {
  const file = join(tempFolder(), "backup.dump");
  await run("pg_dump", ["--format=custom", `--file=${file}`, url]);
  return file;
}

/**
 * Forty events are handled; twenty more are published while the relay hears nothing from the log, and backed up with more to come;
 * sixty more are handled after that.
 */
async function lived(place: Place): Promise<string> {
  let hearing: Gate | undefined;
  const t = await realTrial({ engine: engineOn(place, async () => hearing?.opened), services: sharedWork() });
  await publish(t, 0, 40);
  await cameTo(t, [40]);
  hearing = gate();
  await publish(t, 40, 60);
  const [file] = await Promise.all([backup(place.url), publish(t, 60, 80)]);
  hearing.open();
  hearing = undefined;
  await publish(t, 80, 120);
  await cameTo(t, [120]);
  await t.stop();
  return file;
}

const logs = [
  { log: "a log in Kafka", prefix: () => `r${Math.random().toString(36).slice(2, 10)}.` as string | undefined },
  { log: "a log in the same database", prefix: () => undefined },
];
const cases = [
  { where: "another database", servers: () => here },
  { where: "another cluster", servers: () => elsewhere },
].flatMap((to) => logs.map((log) => ({ ...log, ...to })));
const there = tools && kafka !== undefined && here !== undefined && elsewhere !== undefined;

if (!there) console.info("skipped: no pg_dump, or no servers");
describe.skipIf(!there)("a dump of a database in use", () => {
  it.each(cases)("restored into $where, beside $log, loses and doubles nothing", async ({ prefix, servers }) => {
    const place = { url: await fresh(here), prefix: prefix() };
    const file = await lived(place);
    const restored = { ...place, url: await fresh(servers()) };
    await run("pg_restore", ["--no-owner", "--exit-on-error", `--dbname=${restored.url}`, file]);

    const t = await realTrial({ engine: engineOn(restored), services: sharedWork() });
    await publish(t, 200, 220);
    // Kafka has all that was ever sent; a log in the dump has what the dump has: twenty were published meanwhile.
    const found = await cameTo(t, place.prefix === undefined ? [80, 100] : [140]);
    expect(found).toEqual([...numbers(0, found.length - 20), ...numbers(200, 220)]);
    for (const own of await counted(t)) expect(own).toEqual([...own].sort((a, b) => a - b));
    const echoed = async () => (await loggedIn(t.running, "echoes")).map(({ n }) => n).sort((a, b) => a - b);
    await vi.waitFor(async () => expect(await echoed()).toEqual(found), { timeout: 20_000 });
    const said = t.lines.filter(({ message }) => message.includes("was restored, or is another than before"));
    expect(said.length > 0).toBe(servers() === elsewhere);
  });
});
