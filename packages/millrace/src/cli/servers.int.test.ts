import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { open as openAccount, payIn } from "../app/trial-accounts.js";
import { engineFromEnv } from "../main/engine-from-env.js";
import type { MillraceApp } from "../main/millrace.js";
import { orders, price, trialApp } from "../main/trial-app.js";
import { type TrialDatabase, trialDatabase } from "../testing/trial-database.js";
import { TrialKafka } from "../testing/trial-kafka.js";
import { trialServers } from "../testing/trial-services.js";
import { Trial } from "./trial.js";

const kafka = await trialServers("kafka/1");

vi.setConfig({ testTimeout: 120_000, hookTimeout: 60_000 });

const ways = [
  { name: "PostgreSQL alone", log: () => undefined as string | undefined },
  {
    name: "Kafka and PostgreSQL",
    log: () => {
      const { brokers, prefix } = new TrialKafka(kafka?.address ?? "");
      return `kafka://${brokers.join(",")}?prefix=${prefix}&replicationFactor=1&minInsyncReplicas=1`;
    },
  },
];
const risks = "replication-factor,min-insync-replicas,timestamp-type,durability";

const there = (await trialServers("postgres")) !== undefined && kafka !== undefined;

let trial: Trial;
let database: TrialDatabase | undefined;
let env: Record<string, string>;
const run = (...args: string[]) => trial.runWith({ env }, ...args, "--dir", trial.dir);

/** One that has had an event of each fate, on servers, and has ended. */
async function appThatWas(running: (app: MillraceApp) => Promise<void> = async () => {}): Promise<void> {
  const app = trialApp({ dir: trial.dir, engine: engineFromEnv(env), withBank: true });
  await app.start();
  try {
    await app.publish(orders.placed({ orderId: "o-1", pence: price.dead }));
    await app.publish(orders.placed({ orderId: "o-2", pence: 5 }));
    await app.send(openAccount({ account: "a-1", owner: "Ada" }), { waitFor: "handled" });
    await app.send(payIn({ account: "a-1", pence: 70, note: "" }), { waitFor: "handled" });
    await vi.waitFor(
      async () => {
        const standings = await app.consumers();
        expect(standings.filter(({ lagRecords }) => lagRecords > 0)).toEqual([]);
        expect(standings.find(({ consumer }) => consumer === "payments")?.dead).toBe(1);
      },
      { timeout: 30_000, interval: 50 },
    );
    await running(app);
  } finally {
    await app.stop();
  }
}

if (!there) console.info("skipped: the command line on servers, there are none");
describe.skipIf(!there).each(ways)("without a process, on $name", ({ log }) => {
  beforeEach(async () => {
    trial = new Trial();
    database = await trialDatabase();
    const address = log();
    env = {
      MILLRACE_STORE: `${database?.url}?pool=4&schema=own`,
      ...(address === undefined ? {} : { MILLRACE_LOG: address }),
      MILLRACE_ACCEPT_RISK: risks,
    };
  });
  afterEach(ended);

  it("the command line reads what the servers hold, and does not act", async () => {
    await appThatWas();
    const consumers = await run("consumers");
    expect(consumers).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^as of .* UTC, from the servers; no process answers here\n$/),
    });
    expect(consumers.stdout).toMatch(/^payments +unknown +0 +0 +unknown +0 +1/m);
    const [letter] = lines(await run("dead-letters", "ls", "-o", "jsonl"));
    expect((await run("dead-letters", "show", String(letter?.entry))).stdout).toContain("666");
    expect((await run("dead-letters", "ls", "--group")).stdout).toMatch(/payments/);
    expect((await run("explain", "key:o-1")).stdout).toContain(`dead: payments (entry ${letter?.entry}, attempt 1)`);
    const found = lines(await run("events", "search", "type:order.*", "--oldest-first", "-o", "jsonl"));
    expect(found.map(({ key }) => key).sort()).toEqual(["o-1", "o-2"]);
    expect((await run("events", "get", String(found[0]?.id), "-o", "json")).stdout).toContain('"order.placed"');
    expect((await run("sagas", "ls")).code).toBe(0);
    expect((await run("projections", "ls")).code).toBe(0);
    expect((await run("jobs", "ls")).code).toBe(0);
    const map = await trial.runWith({ env: { ...env, TRIAL_DIR: trial.dir } }, "map", trial.module, "--dir", trial.dir);
    expect(map.stdout).toMatch(/^orders +order\.placed +payments +2/m);
    const tail = await run("tail", "key:o-2", "-o", "jsonl");
    expect(tail).toMatchObject({ code: 6, stdout: expect.stringContaining('"o-2"') });
    const acts = [
      ["publish", "order.placed", '{"orderId":"o-3","pence":1}'],
      ["dead-letters", "redrive", String(letter?.entry), "--reason", "r"],
      ["consumers", "pause", "mail", "--reason", "r"],
    ];
    for (const args of acts) expect(await run(...args)).toMatchObject({ code: 6, stdout: "", stderr: nobody });
  });

  it("an aggregate is folded by the app's module, and as it was", async () => {
    await appThatWas();
    const ofBank = (...args: string[]) =>
      trial.runWith(
        { env: { ...env, TRIAL_BANK: "1", TRIAL_DIR: trial.dir } },
        ...["aggregate", "accounts", "a-1", "--app", trial.module, "--dir", trial.dir, "-o", "json", ...args],
      );
    expect(JSON.parse((await ofBank()).stdout)).toMatchObject({ from: "servers", version: 2, state: { pence: 70 } });
    expect(JSON.parse((await ofBank("--at", "1")).stdout)).toMatchObject({ version: 1, state: { pence: 0 } });
    expect((await ofBank("--blame", "pence")).stdout).toContain("account.paid-in");
  });

  it("doctor looks at both servers, also beside a process of another folder", async () => {
    await appThatWas(async () => {
      const { code, stdout } = await run("consumers", "--dir", `${trial.dir}/elsewhere`);
      expect([code, stdout]).toEqual([0, expect.stringMatching(/^payments +unknown/m)]);
    });
    const found = lines(await run("doctor", "-o", "jsonl"));
    expect(found.find(({ check }) => check === "server")).toMatchObject({ ok: true });
    expect(found.find(({ check }) => check === "positions")).toMatchObject({ ok: true });
    expect(found.some(({ check }) => check === "log" || check === "replication-factor")).toBe(true);
    expect(found.find(({ check }) => check === "dead-letters")).toMatchObject({ ok: false });
  });
});

if (!there) console.info("skipped: the command line on servers, there are none");
describe.skipIf(!there)("when a server is away", () => {
  beforeEach(async () => {
    trial = new Trial();
    database = await trialDatabase();
    env = { MILLRACE_STORE: `${database?.url}?pool=4` };
  });
  afterEach(ended);

  it("the store is read while brokers are, and doctor names them", async () => {
    await appThatWas();
    env.MILLRACE_LOG = "kafka://127.0.0.1:1";
    expect((await run("dead-letters", "ls")).stdout).toContain("payments");
    expect(await run("events", "search", "--timeout", "1s")).toMatchObject({ code: 6, stdout: "" });
    const found = lines(await run("doctor", "--timeout", "1s", "-o", "jsonl"));
    expect(found.find(({ check }) => check === "log")).toMatchObject({ ok: false });
    expect(found.find(({ check }) => check === "dead-letters")).toMatchObject({ ok: false });
  });

  it("a database without Millrace is said to be one, and one that does not answer ends in 6", async () => {
    env.MILLRACE_STORE = `${database?.url}?schema=nothing`;
    expect(await run("consumers")).toMatchObject({ code: 3, stdout: "", stderr: expect.stringContaining("nothing") });
    env.MILLRACE_STORE = "postgres://127.0.0.1:1/shop";
    expect(await run("consumers")).toMatchObject({ code: 6, stdout: "" });
    env.MILLRACE_STORE = "mysql://x";
    expect(await run("consumers")).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringContaining("MILLRACE_STORE"),
    });
  });
});

async function ended(): Promise<void> {
  await trial.remove();
  await database?.drop();
}

const nobody = expect.stringContaining("start it");

function lines({ stdout }: { readonly stdout: string }): readonly Record<string, unknown>[] {
  return stdout
    .trim()
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
