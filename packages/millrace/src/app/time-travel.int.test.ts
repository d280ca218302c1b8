import { Admin } from "@platformatic/kafka";
import pg from "pg";
import { afterAll, afterEach, describe, expect, it, vi } from "vitest";
import { service } from "../service/declare.js";
import { endTrials } from "../testing/trial.js";
import { dropPlaces, engineAt, type TrialPlace, trialGrounds } from "../testing/trial-place.js";
import { endRealTrials, type RealTrial, realTrial } from "../testing/trial-real.js";
import { accountWith, open, payIn, payOut } from "./trial-accounts.js";

const grounds = await trialGrounds();
afterEach(async () => {
  await endRealTrials();
  await endTrials();
});
afterAll(dropPlaces);
vi.setConfig({ testTimeout: 90_000 });

const account = "a-1";
const aggregate = accountWith({ snapshotEvery: 2 });
const handled = { waitFor: "handled", timeout: "20s" } as const;
const start = (place: TrialPlace, name = "bank") =>
  realTrial({ engine: engineAt(place), services: [service(name).owns(aggregate)] });

/** Opened, then 1, 2, 3 and 4 paid in. */
async function fivefold(place: TrialPlace): Promise<RealTrial> {
  const t = await start(place);
  await t.app.send(open({ account, owner: "ann" }), handled);
  for (let pence = 1; pence <= 4; pence += 1) await t.app.send(payIn({ account, pence, note: "" }), handled);
  return t;
}

async function sql(place: TrialPlace & { readonly postgres: string }, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: place.postgres });
  await client.connect();
  await client.query(text);
  await client.end();
}

async function expectPast({ app, running }: RealTrial): Promise<void> {
  const read = app.aggregate(aggregate);
  const { records } = await running.engine.store.readStream({ topic: "accounts", key: account, after: 0, limit: 10 });
  const pence = [0, 1, 3, 6, 10];
  for (const [index, { id, appended }] of records.entries()) {
    const now = { version: index + 1, state: { owner: "ann", pence: pence[index], moves: index + 1 } };
    expect(await read.get(account, { version: index + 1 })).toMatchObject(now);
    expect((await read.get(account, { time: new Date(appended) })).version).toBeGreaterThan(index);
    expect(await read.get(account, { before: id })).toMatchObject({ version: index });
  }
  expect((await read.blame(account, "pence", { version: 4 }))?.event.sequence).toBe(4);
  expect(await read.get(account)).toMatchObject({ version: 5, state: { pence: 10 } });
}

/** Removes everything that the log has. */
async function emptyLog(place: TrialPlace & { readonly postgres: string }): Promise<void> {
  if (place.kafka === undefined)
    return await sql(place, "DELETE FROM millracelog.mr_log; UPDATE millracelog.mr_log_partitions SET first = next");
  const admin = new Admin({ clientId: "operator", bootstrapBrokers: place.kafka.split(",") });
  const partitions = [0, 1, 2].map((partition) => ({ partition, offset: -1n }));
  await admin.deleteRecords({ topics: [{ name: `${place.prefix}accounts`, partitions }] });
  await admin.close();
}

if (grounds.length === 0) console.info("skipped: no servers");
describe.each(grounds)("an aggregate's past on $name", ({ fresh }) => {
  it("is in the store: it can be told when its log has dropped every event, without snapshots, and by the next process", async () => {
    const place = await fresh();
    const first = await fivefold(place);
    await expectPast(first);
    const ends = async () => (await first.running.engine.log.ends("accounts")).reduce((sum, end) => sum + end, 0);
    await vi.waitFor(async () => expect(await ends()).toBe(5), { timeout: 20_000 });
    await first.stop();
    await emptyLog(place);
    await sql(place, "DELETE FROM millrace_bank.mr_snapshots");
    const t = await start(place);
    await expectPast(t);
    const refused = await t.app.send(payOut({ account, pence: 11, note: "" }), handled);
    expect(refused).toMatchObject({ state: "refused", detail: "10 left" });
  });

  it("is not told where events are gone from its stream", async () => {
    const place = await fresh();
    await (await fivefold(place)).stop();
    await sql(
      place,
      "DELETE FROM millrace_bank.mr_stream_events WHERE sequence = 3; DELETE FROM millrace_bank.mr_snapshots",
    );
    const read = (await start(place)).app.aggregate(aggregate);
    const refused = { code: "STORE_DAMAGED", message: expect.stringContaining("accounts a-1: event 3 is gone") };
    await expect(read.get(account)).rejects.toMatchObject(refused);
    await expect(read.get(account, { version: 4 })).rejects.toMatchObject(refused);
    await expect(read.blame(account, "owner")).rejects.toMatchObject(refused);
    expect(await read.get(account, { version: 2 })).toMatchObject({ state: { pence: 1 } });
  });

  it("does not seem empty to another service that takes the aggregate over: that start is refused", async () => {
    const place = await fresh();
    await (await fivefold(place)).stop();
    await expect(start(place, "treasury")).rejects.toMatchObject({
      code: "CONFLICT",
      message: expect.stringContaining("streams are service bank's, in schema millrace_bank"),
    });
    await expectPast(await start(place));
  });
});
