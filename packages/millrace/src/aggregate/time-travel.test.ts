import { afterEach, describe, expect, it } from "vitest";
import { localAdmin } from "../admin/local.js";
import {
  accountsTrimmed,
  accountWith,
  account as aggregate,
  bank,
  news,
  open,
  payIn,
  payOut,
} from "../app/trial-accounts.js";
import { service } from "../service/declare.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";

afterEach(endTrials);

const account = "a-1";
const pay = (pence: number) => payIn({ account, pence, note: "" });
const why = { actor: "ann", reason: "a test" };
const twoDaysMs = 2 * 86_400_000;

/** An account that was opened, and then got 1, 2, 3 and 4, a minute apart. */
async function fivefold(dir: string, options: Parameters<typeof bank>[0] = {}): Promise<Trial> {
  const t = await trial([bank(options), listener()], { dir });
  await t.app.send(open({ account, owner: "ann" }));
  await t.rest();
  for (let pence = 1; pence <= 4; pence += 1) {
    await t.clock.advance(60_000);
    await t.app.send(pay(pence));
    await t.rest();
  }
  return t;
}

const listener = () =>
  service("bank-mail").consumer("mail", (mail) => mail.on(news.overdue, { from: "beginning" }, () => {}));

/** What it was after each of its events, before each of them, and at the time of each. */
async function expectPast(t: Trial, read = t.app.aggregate(aggregate)): Promise<void> {
  const pence = [0, 1, 3, 6, 10];
  const { records } = await t.running.engine.store.readStream({ topic: "accounts", key: account, after: 0, limit: 10 });
  for (const [index, record] of records.slice(0, 5).entries()) {
    const now = { version: index + 1, state: { owner: "ann", pence: pence[index], moves: index + 1 } };
    expect(await read.get(account, { version: index + 1 })).toMatchObject(now);
    expect(await read.get(account, { time: new Date(record.appended) })).toMatchObject(now);
    expect(await read.get(account, { before: record.id })).toMatchObject({ version: index });
  }
  expect(await read.diff(account, { version: 2 }, { version: 4 })).toEqual([
    { path: "pence", from: 1, to: 6 },
    { path: "moves", from: 2, to: 4 },
  ]);
  expect((await read.blame(account, "pence", { version: 4 }))?.event.sequence).toBe(4);
  expect((await read.blame(account, "owner"))?.event.sequence).toBe(1);
}

describe("an aggregate's past", () => {
  it("stays as it was when its service is moved back and decides its commands again", async () => {
    const t = await fivefold(tempFolder());
    const now = () => t.clock.now();
    const live = { app: t.app, running: t.running };
    const stopping = new AbortController().signal;
    const admin = localAdmin({ inspect: t.running.engine.inspect, dir: undefined, now, stopping, live });
    await t.clock.advance(60_000);
    await admin.seek({ ...why, consumer: "bank", to: { type: "beginning" } });
    await t.rest();
    // The account is open already; what is paid in is paid in again, by further events.
    expect(await t.app.aggregate(aggregate).get(account)).toMatchObject({ version: 9, state: { pence: 20 } });
    await expectPast(t);
  });

  it("stays as it was while its topic is declared with a retention and without it", async () => {
    const dir = tempFolder();
    const first = await fivefold(dir, { snapshotEvery: 2 });
    const meanwhile = await first.again([service("bank").owns(accountsTrimmed)]);
    await meanwhile.clock.advance(twoDaysMs);
    await meanwhile.rest();
    const kept = accountWith({ snapshotEvery: 2 });
    const t = await meanwhile.again([service("bank").owns(kept), listener()]);
    await expectPast(t, t.app.aggregate(kept));
  });

  it("is told by today's evolve, whatever snapshots say", async () => {
    const dir = tempFolder();
    const first = await fivefold(dir, { snapshotEvery: 2 });
    const doubled = accountWith({
      version: 2,
      snapshotEvery: 2,
      evolve: (state, happened) => ({
        owner: "ann",
        moves: state.moves + 1,
        pence: state.pence + ("pence" in happened.data ? 2 * happened.data.pence : 0),
      }),
    });
    const t = await first.again([service("bank").owns(doubled)]);
    const read = t.app.aggregate(doubled);
    expect(await read.get(account)).toMatchObject({ version: 5, state: { pence: 20 } });
    expect(await read.get(account, { version: 3 })).toMatchObject({ state: { pence: 6 } });
    otherProgram(dir, (database) => database.exec("DELETE FROM mr_snapshots"));
    expect(await read.get(account)).toMatchObject({ version: 5, state: { pence: 20 } });
  });

  it("is not told where events of it are gone, and no command is decided on what is left", async () => {
    for (const gone of ["sequence = 1", "sequence = 3"]) {
      const dir = tempFolder();
      const first = await fivefold(dir);
      otherProgram(dir, (database) => database.exec(`DELETE FROM mr_stream_events WHERE ${gone}`));
      const t = await first.again([bank()]);
      const read = t.app.aggregate(aggregate);
      const refused = { code: "STORE_DAMAGED", message: expect.stringMatching(/accounts a-1: event [13] is gone/) };
      await expect(read.get(account)).rejects.toMatchObject(refused);
      await expect(read.get(account, { version: 4 })).rejects.toMatchObject(refused);
      await expect(read.diff(account, { version: 2 }, { version: 4 })).rejects.toMatchObject(refused);
      await expect(read.blame(account, "pence")).rejects.toMatchObject(refused);
      await t.app.send(payOut({ account, pence: 1, note: "" }));
      await expect(t.rest()).rejects.toMatchObject({ code: "STORE_DAMAGED" });
      const page = await t.running.engine.store.readStream({ topic: "accounts", key: account, after: 0, limit: 10 });
      expect(page.version).toBe(5);
    }
  });

  it("is not what a snapshot says that knows more than its stream", async () => {
    const dir = tempFolder();
    const first = await fivefold(dir, { snapshotEvery: 4 });
    otherProgram(dir, (database) => database.exec("DELETE FROM mr_stream_events WHERE sequence > 2"));
    const again = accountWith({ snapshotEvery: 4 });
    const t = await first.again([service("bank").owns(again)]);
    const read = t.app.aggregate(again);
    expect(await read.get(account)).toMatchObject({ version: 2, state: { pence: 1 } });
  });
});
