import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { localAdmin } from "../admin/local.js";
import { Failure } from "../failure/failure.js";
import type { Unit } from "../store/unit.js";
import { faulty } from "../testing/faulty-store.js";
import { endTrials, type Trial, tempFolder, trial, trialClock, trialEngine } from "../testing/trial.js";
import {
  accounts,
  bank,
  type Fate,
  type Fates,
  openingPence,
  reservations,
  transferring,
  transfers,
} from "../testing/trial-bank.js";
import { isOnServers } from "../testing/trial-servers.js";

afterEach(endTrials);

// Where commits take milliseconds, and each program has tables to make: fewer transfers, and not every commit.
const { count, runs, stride } = isOnServers()
  ? { count: 120, runs: 1, stride: 11 }
  : { count: 1_000, runs: 2, stride: 1 };
const seed = Number(process.env.FC_SEED ?? Math.floor(performance.timeOrigin));

interface Transfer {
  readonly transferId: string;
  readonly from: string;
  readonly to: string;
  readonly pence: number;
}

/** What can be seen of the bank from outside: every balance, what is reserved, how each transfer ended. */
async function stateOf(t: Trial, asked: readonly Transfer[], saga: ReturnType<typeof transferring>) {
  const ids = [...new Set(asked.flatMap(({ from, to }) => [from, to]))].sort();
  const found = await Promise.all(ids.map((id) => t.app.documents(accounts).get(id)));
  const balances = Object.fromEntries(ids.map((id, index) => [id, found[index]?.pence ?? openingPence]));
  const held = await Promise.all(asked.map(({ transferId }) => t.app.documents(reservations).get(transferId)));
  const instances = await Promise.all(asked.map(({ transferId }) => t.app.saga(saga).get(transferId)));
  const reserved = held.reduce((sum, one) => sum + (one?.pence ?? 0), 0);
  const total = Object.values(balances).reduce((sum, pence) => sum + pence, reserved);
  return {
    balances,
    reserved,
    missing: ids.length * openingPence - total,
    ends: instances.map((instance) => instance?.status),
    history: instances.map((instance) => instance?.history.map(({ type, step }) => [type, step])),
  };
}

/** What an operator does with sagas that are stuck: a command that was refused is sent again, a dead one is mended and redriven. */
async function mend(t: Trial): Promise<number> {
  const { running, app } = t;
  const stopping = new AbortController().signal;
  const sight = { inspect: running.engine.inspect, live: { app, running }, dir: undefined };
  const admin = localAdmin({ ...sight, now: () => t.clock.now(), stopping });
  const { sagas } = await admin.sagas({ status: "stuck", limit: 1_000 });
  let over = false;
  const all = Promise.all(
    sagas.map(({ saga, key }) => admin.steerSaga({ saga, key, verb: "retry", actor: "ada", reason: "mended" })),
  );
  all
    .finally(() => {
      over = true;
    })
    .catch(() => undefined);
  await t.until(() => over);
  await all;
  await settle(t);
  return sagas.length;
}

/** Everything has happened that can happen without an operator. */
async function settle(t: Trial): Promise<void> {
  await t.rest();
  await t.clock.advance(1_000);
  await t.rest();
}

const commands = ["withdraw", "deposit", "note", "give-back", "take-back"] as const;

describe("transfers", () => {
  it("conserve money and come to an end, a thousand at a time, whatever fails at random", async () => {
    console.log(`bank: seed ${seed} (set FC_SEED to repeat it)`);
    const fate = fc.constantFrom<Fate>("done", "done", "done", "done", "failed", "refused", "throws", "dies");
    const account = fc.integer({ min: 0, max: 99 }).map((n) => `a-${n}`);
    const one = fc.record({
      from: account,
      to: account,
      pence: fc.integer({ min: 1, max: 300 }),
      fates: fc.array(fate, { minLength: 15, maxLength: 15 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: count, maxLength: count }), async (drawn) => {
        const asked = drawn.map(({ from, to, pence }, index) => ({ transferId: `t-${index}`, from, to, pence }));
        let mended = false;
        // The nth fate is that of an attempt at a command; once mended, all go well.
        const fates: Fates = (command, transferId, attempt) => {
          const place = commands.indexOf(command as (typeof commands)[number]) * 3 + Math.min(attempt, 3) - 1;
          return mended ? "done" : ((drawn[Number(transferId.slice(2))]?.fates[place] as Fate) ?? "done");
        };
        const saga = transferring();
        const t = await trial(bank(fates, saga));
        await t.app.publish(asked.map((transfer) => transfers.asked(transfer)));
        await settle(t);
        const before = await stateOf(t, asked, saga);
        expect(before.missing).toBe(0);
        mended = true;
        for (let left = 1; left > 0; ) left = await mend(t);
        const { missing, reserved, ends } = await stateOf(t, asked, saga);
        expect([missing, reserved]).toEqual([0, 0]);
        expect(ends.filter((end) => end !== "completed" && end !== "aborted")).toEqual([]);
        expect(new Set(ends).size).toBe(2);
        await t.stop();
      }),
      { seed, numRuns: runs, endOnFailure: true },
    );
  }, 240_000);
});

const asked: readonly Transfer[] = ["plain", "bounces", "stumbles", "refunds", "dies"].map((name, index) => ({
  transferId: `t-${name}`,
  from: `a-${index}`,
  to: `a-${index + 1}`,
  pence: 100 + index,
}));
const known: Fates = (command, transferId, attempt) => {
  switch (`${transferId} ${command}`) {
    case "t-bounces deposit":
      return "failed";
    case "t-stumbles withdraw":
    case "t-stumbles deposit":
      return attempt < 3 ? "throws" : "done";
    case "t-refunds note":
      return "refused";
    case "t-dies deposit":
      return "dies";
    default:
      return "done";
  }
};

interface Death {
  readonly at: number;
  readonly when: "before" | "after";
}

/** The program dies at its nth commit, before or after that is on disk, and is started again. */
async function play(death?: Death) {
  const dir = tempFolder();
  const clock = trialClock();
  const saga = transferring();
  let commits = 0;
  let dead = false;
  const die = (when: Death["when"]) => {
    if (!dead && death?.when === when && death.at === commits) dead = true;
    if (dead) throw new Failure("STORE_UNAVAILABLE", "this program is dead");
  };
  const engine = faulty(await trialEngine(dir), {
    before() {
      commits += 1;
      die("before");
    },
    after: () => die("after"),
  });
  const start = () => trial(bank(known, saga), { dir, clock, engine });
  let t = await start();
  const surely = async (ask: () => Promise<unknown>) => {
    for (let done = false; !done; ) {
      let over = false;
      const asking = ask()
        .then(
          () => {
            done = true;
          },
          () => undefined,
        )
        .finally(() => {
          over = true;
        });
      await t.until(() => over || dead);
      if (dead) {
        await t.stop();
        dead = false;
        t = await start();
      }
      await asking;
    }
  };
  for (const transfer of asked)
    await surely(() => t.app.publish(transfers.asked(transfer), { id: transfer.transferId }));
  for (let round = 0; round < 4; round += 1) {
    await surely(() => t.app.settled());
    await t.clock.advance(1_000);
  }
  await surely(() => t.app.settled());
  const state = await stateOf(t, asked, saga);
  return { commits, state, t };
}

it("ends in the same state wherever the program dies: at every commit, before and after it is on disk", async () => {
  const undisturbed = await play();
  expect(undisturbed.state).toMatchObject({
    missing: 0,
    reserved: 104,
    ends: ["completed", "aborted", "completed", "aborted", "stuck"],
  });
  await undisturbed.t.stop();
  expect(undisturbed.commits).toBeGreaterThan(20);
  for (let at = 1; at <= undisturbed.commits; at += stride)
    for (const when of ["before", "after"] as const) {
      const { state, t } = await play({ at, when });
      expect([{ at, when }, state]).toEqual([{ at, when }, undisturbed.state]);
      await t.stop();
    }
}, 240_000);

it("ends in the same state when the answer of every commit is lost", async () => {
  const saga = transferring();
  const sent = new WeakSet<Unit>();
  const engine = faulty(await trialEngine(), {
    after(units) {
      const fresh = units.filter((unit) => !sent.has(unit));
      for (const unit of fresh) sent.add(unit);
      // Callers from outside are told, and would ask again.
      if (fresh.some(({ claim }) => claim.type !== "publish"))
        throw new Failure("STORE_UNAVAILABLE", "the answer was lost");
    },
  });
  const t = await trial(bank(known, saga), { engine });
  await t.app.publish(asked.map((transfer) => transfers.asked(transfer)));
  for (let round = 0; round < 5; round += 1) await settle(t);
  const { state, t: other } = await play();
  expect(await stateOf(t, asked, saga)).toEqual(state);
  await other.stop();
});
