import { deepEqual, equal, ok } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { Store } from "../../store/store.js";
import type { Outcome, Unit } from "../../store/unit.js";
import type { SharedStoreUnderTest } from "./shared-store.js";
import type { Check } from "./suite.js";
import {
  checkedService,
  checkedStreams,
  committed,
  ensureThings,
  indexedThing,
  newRecord,
  outcomes,
  readOf,
  thing,
  unitOf,
  writing,
} from "./units.js";

const rounds = 12;

/** Sends a unit to each of two processes at the same time. */
export async function both(
  { left, right }: Pick<SharedStoreUnderTest, "left" | "right">,
  one: Unit,
  other: Unit,
): Promise<readonly Outcome["type"][]> {
  const sent = [left.commit([one], []), right.commit([other], [])].map(async (answer) => (await answer)[0]?.type);
  return (await Promise.all(sent)) as readonly Outcome["type"][];
}

async function textOf(store: Store, id: string): Promise<string | undefined> {
  return (await store.readDocument(checkedService, "things", id))?.text;
}

const things = async ({ left, right }: SharedStoreUnderTest) => {
  await ensureThings(left);
  await ensureThings(right);
};

/** Exactly one of the two was stored; which one is open. */
const oneOf = (types: readonly string[], loser: string) => deepEqual([...types].sort(), ["committed", loser].sort());

/** Two processes that want the same at the same time: one of them has it, and the other one hears of it. */
export const raceChecks: Readonly<Record<string, Check<SharedStoreUnderTest>>> = {
  "loses no update when two processes have read the same version of a document": async (shared) => {
    await things(shared);
    for (let round = 0; round < rounds; round += 1) {
      const { commit } = await committed(shared.left, writing([thing("a", "0")]));
      const write = (text: string) => writing([thing("a", text)], [readOf("a", commit)]);
      oneOf(await both(shared, write("1"), write("2")), "reload");
    }
  },

  "breaks no rule over what two processes have read, when each writes what the other has read": async (shared) => {
    await things(shared);
    for (let round = 0; round < rounds; round += 1) {
      const { commit } = await committed(shared.left, writing([thing("a", "1"), thing("b", "1")]));
      const reads = [readOf("a", commit), readOf("b", commit)];
      oneOf(await both(shared, writing([thing("a", "0")], reads), writing([thing("b", "0")], reads)), "reload");
      deepEqual([await textOf(shared.left, "a"), await textOf(shared.right, "b")].sort(), ["0", "1"]);
    }
  },

  "breaks no rule over what two processes have found absent, when each makes what the other missed": async (shared) => {
    await things(shared);
    for (let round = 0; round < rounds; round += 1) {
      const [a, b] = [`a${round}`, `b${round}`];
      const reads = [readOf(a, 0), readOf(b, 0)];
      oneOf(await both(shared, writing([thing(a, "1")], reads), writing([thing(b, "1")], reads)), "reload");
      equal([await textOf(shared.left, a), await textOf(shared.left, b)].filter((text) => text === "1").length, 1);
    }
  },

  "lets two processes write documents that neither has read, one after the other": async (shared) => {
    await things(shared);
    for (let round = 0; round < rounds; round += 1)
      deepEqual(await both(shared, writing([thing(`a${round}`, "1")]), writing([thing(`a${round}`, "2")])), [
        "committed",
        "committed",
      ]);
  },

  "lets one of two processes have a unique value": async (shared) => {
    await things(shared);
    for (let round = 0; round < rounds; round += 1) {
      const mail = `mail-${round}`;
      const [one, other] = ["a", "b"].map((id) => writing([indexedThing(`${id}${round}`, { mail })])) as [Unit, Unit];
      oneOf(await both(shared, one, other), "failed");
    }
  },

  "appends to a stream for one of two processes that decided on the same version": async (shared) => {
    for (let version = 0; version < rounds; version += 1) {
      const appending = (id: string): Unit => ({
        ...unitOf({ type: "publish" }, {}),
        stream: { topic: checkedStreams, key: "a", version },
        effects: {
          records: [
            newRecord(`${id}${version}`, {
              ...{ topic: checkedStreams, key: "a", named: false, headers: { sequence: version + 1 } },
            }),
          ],
        },
      });
      oneOf(await both(shared, appending("l"), appending("r")), "reload");
    }
    equal((await shared.right.readStream({ topic: checkedStreams, key: "a", after: 0, limit: 0 })).version, rounds);
  },

  "does a command once for an idempotency key, whichever process it came to": async (shared) => {
    for (let round = 0; round < rounds; round += 1) {
      const sending = (id: string) => {
        const idempotency = { scope: "web", key: `k${round}` };
        const operation = { id, command: "do-it", key: "k", correlationId: id, fingerprint: "same", idempotency };
        return unitOf({ type: "operation", operation }, { records: [newRecord(id)] });
      };
      oneOf(await both(shared, sending(`l${round}`), sending(`r${round}`)), "already");
    }
    equal((await shared.published()).length, rounds);
  },

  "publishes a named event once, and refuses it with other content, whichever process it came to": async (shared) => {
    for (let round = 0; round < rounds; round += 1) {
      const publishing = (data: string) =>
        unitOf({ type: "publish" }, { records: [newRecord(`n${round}`, { data, partition: 0 })] });
      deepEqual(await both(shared, publishing("1"), publishing("1")), ["committed", "committed"]);
      const [refused] = await shared.right.commit([publishing("2")], []);
      ok(refused?.type === "failed" && isFailure(refused.error, "EVENT_ID_REUSED"));
    }
    equal((await shared.published()).length, rounds);
  },

  "fires a timer, and takes a tick, in one of two processes": async (shared) => {
    const { offset: _, ...record } = newRecord("timer");
    await committed(
      shared.left,
      unitOf(
        { type: "publish" },
        { timers: [{ service: checkedService, name: "t", due: 5, record, armed: undefined }] },
      ),
    );
    const [timer] = await shared.right.readDueTimers(5, 1);
    const fire = (id: string) => unitOf({ type: "timer", timer: timer!.timer }, { records: [newRecord(id)] });
    oneOf(await both(shared, fire("l"), fire("r")), "already");
    const row = { service: checkedService, schedule: "nightly", cron: "0 0 * * *", next: 100 };
    await shared.left.ensureSchedule(row);
    await shared.right.ensureSchedule(row);
    const tick = (id: string) =>
      unitOf({ type: "tick", ...row, tick: 100, next: 200 }, { records: [newRecord(`tick ${id}`)] });
    oneOf(await both(shared, tick("l"), tick("r")), "already");
    equal((await shared.published()).length, 2);
  },

  "goes on when groups of two processes want the same documents in different orders": async (shared) => {
    await things(shared);
    const ids = Array.from({ length: 30 }, (_, n) => `d${n}`);
    await committed(shared.left, writing(ids.map((id) => thing(id, "0"))));
    const units = (text: string, order: readonly string[]) => order.map((id) => writing([thing(id, text)]));
    for (let round = 0; round < rounds; round += 1) {
      const [left, right] = await Promise.all([
        outcomes(shared.left, ...units("left", ids)),
        outcomes(shared.right, ...units("right", [...ids].reverse())),
      ]);
      deepEqual([...new Set([...left, ...right])], ["committed"]);
    }
    // Whichever group came last wrote all of them.
    equal(new Set(await Promise.all(ids.map((id) => textOf(shared.left, id)))).size, 1);
  },
};
