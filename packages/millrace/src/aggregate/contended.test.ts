import { afterEach, describe, expect, it } from "vitest";
import { accounts, bank, close } from "../app/trial-accounts.js";
import { Failure } from "../failure/failure.js";
import type { Unit } from "../store/unit.js";
import { faulty, meddled } from "../testing/faulty-store.js";
import { endTrials, type Trial, trial, trialEngine } from "../testing/trial.js";
import { account, died, opened, paid, pay } from "../testing/trial-account.js";

afterEach(endTrials);

/** Another process appends the third event: this one's memory is not told. */
async function payBehind(t: Trial, pence: number): Promise<void> {
  const { log, store } = t.running.engine;
  const [record] = (await log.read({ topic: "accounts", from: [0, 0, 0], recordsMax: 9, bytesMax: 1e6 })).records;
  if (record === undefined) throw new Error("the test has stored no event");
  const data = JSON.stringify({ account, pence, note: "" });
  const id = "018bcfe5-6800-7000-8000-00000000000f";
  const paidIn = { ...record, id, type: "account.paid-in", data, named: false, headers: { sequence: 3 } };
  const stream = { topic: "accounts", key: account, version: 2 };
  const unit: Unit = { claim: { type: "publish" }, reads: [], stream, lane: undefined, effects: { records: [paidIn] } };
  expect(await store.commit([unit], [])).toMatchObject([{ type: "committed" }]);
}

describe("a state in memory that is not the newest any more", () => {
  it("makes the command decide again, on the events that have come since", async () => {
    const outcomes: string[] = [];
    const engine = faulty(await trialEngine(), {
      after: (_, all) => void outcomes.push(...all.map(({ type }) => type)),
    });
    const t = await trial([bank()], { engine });
    await t.app.send(opened());
    await t.app.send(pay(1));
    await t.rest();
    await payBehind(t, 50);
    const sent = await t.app.send(close({ account }));
    await t.rest();
    expect(outcomes).toContain("reload");
    expect(await t.running.engine.store.readOperation(sent.id)).toMatchObject({ state: "committed" });
    const { events } = await t.running.engine.inspect.events({ type: "account.paid-out", limit: 9 });
    expect(events[0]).toMatchObject({ data: { pence: 51 }, headers: { sequence: 4 } });
  });

  it("is no reason to fail: what decide throws on it does not count", async () => {
    const t = await trial([
      bank({
        decide: (asked, { pence }) => {
          if (asked.type === "open-account") return [accounts.opened(asked.data)];
          if (asked.type === "pay-in") return [accounts.paidIn(asked.data)];
          if (pence === 1) throw new Failure("OPTION_INVALID", "this would stop the consumer");
          return [];
        },
      }),
    ]);
    await t.app.send(opened());
    await t.app.send(pay(1));
    await t.rest();
    await payBehind(t, 50);
    const sent = await t.app.send(close({ account }));
    await t.rest();
    expect(await t.running.engine.store.readOperation(sent.id)).toMatchObject({ state: "committed" });
  });

  it("does not have a command decided without end", async () => {
    let decided = 0;
    let contended = true;
    const engine = meddled(await trialEngine(), (store) => ({
      commit: async (units, progress) => {
        const stale = units.map((unit) => contended && unit.stream !== undefined);
        decided += stale.filter((one) => one).length;
        const left = units.filter((_, index) => !stale[index]);
        const outcomes = [...(await store.commit(left, progress))];
        return units.map((_, index) => (stale[index] ? { type: "reload" as const } : (outcomes.shift() as never)));
      },
    }));
    const t = await trial([bank()], { engine });
    await t.app.send(opened());
    await t.until(async () => (await died(t)).length > 0);
    expect(await died(t)).toEqual([["parked", "STREAM_CONTENDED"]]);
    // Three runs in place, each of at most twenty decisions.
    expect(decided).toBe(60);
    contended = false;
    await t.rest();
    expect(await died(t)).toEqual([]);
  });
});

describe("a command of an aggregate whose commit's answer is lost", () => {
  it("is done once, and the next one decides on what is stored", async () => {
    const sent = new Set<unknown>();
    const engine = faulty(await trialEngine(), {
      after(units) {
        const fresh = units.filter((unit) => unit.stream !== undefined && !sent.has(unit));
        for (const unit of fresh) sent.add(unit);
        if (fresh.length > 0) throw new Failure("STORE_UNAVAILABLE", "the connection broke before the answer came");
      },
    });
    const t = await trial([bank()], { engine });
    await t.app.send(opened());
    for (const pence of [1, 2, 3]) {
      await t.rest();
      await t.app.send(pay(pence));
    }
    await t.rest();
    expect(await paid(t)).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(sent.size).toBe(4);
  });
});

describe("moving consumers back", () => {
  const seek = async (t: Trial, consumer: string, mute: boolean) => {
    const asked = { consumer, to: { type: "beginning" as const }, mute };
    const { lanes } = await t.running.engine.operate.seek(asked, { actor: "ann", reason: "a test", at: t.clock.now() });
    await t.running.changed({ lanes, amended: true, leases: true });
    await t.rest();
  };

  it("leaves the streams as they are when a consumer of their events hears them again", async () => {
    const heard: string[] = [];
    const t = await trial([
      bank().consumer("view", (view) => view.on(accounts.paidIn, ({ id }) => void heard.push(id))),
    ]);
    await t.app.send(opened());
    for (const pence of [1, 2]) await t.app.send(pay(pence));
    await t.rest();
    await seek(t, "bank.view", false);
    expect(heard).toHaveLength(4);
    await t.app.send(pay(3));
    await t.rest();
    expect(await paid(t)).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
  });

  it("appends nothing when the commands themselves are handled again muted, and goes on after that", async () => {
    const t = await trial([bank()]);
    await t.app.send(opened());
    for (const pence of [1, 2]) await t.app.send(pay(pence));
    await t.rest();
    await seek(t, "bank", true);
    expect(await paid(t)).toEqual([
      [1, 2],
      [2, 3],
    ]);
    await t.app.send(pay(3));
    await t.rest();
    expect(await paid(t)).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
  });
});
