import { deepEqual, equal, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { NewTimer } from "../../store/timer.js";
import type { StoreUnderTest } from "./store.js";
import type { Check } from "./suite.js";
import { checkedService, commit, committed, newRecord, outcomes, unitOf } from "./units.js";

const timer = (due: number, name?: string, service = checkedService): NewTimer => {
  const { offset: _, ...record } = newRecord(`at-${due}`);
  const armed = name === undefined ? undefined : { consumer: "arming", topic: "armed", partition: 1, offset: due };
  return { service, name, due, record, armed };
};
const arming = (...timers: NewTimer[]) => unitOf({ type: "publish" }, { timers });
const cancelling = (name: string, service = checkedService) =>
  unitOf({ type: "publish" }, { cancels: [{ service, name }] });
const due = async ({ store }: StoreUnderTest, now: number, limit = 100) =>
  (await store.readDueTimers(now, limit)).map((one) => one.due);

/** Timers and schedules. */
export const timeChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "gives back the timers that are due, the earliest first, with their messages": async (adapter) => {
    const { store } = adapter;
    equal(await store.nextTimer(), undefined);
    const first = timer(10);
    await committed(store, arming(timer(30), first, timer(20)));
    equal(await store.nextTimer(), 10);
    deepEqual(await due(adapter, 9), []);
    deepEqual(await due(adapter, 20), [10, 20]);
    deepEqual(await due(adapter, 99, 2), [10, 20]);
    await adapter.reopen();
    const [stored] = await adapter.store.readDueTimers(10, 1);
    deepEqual({ ...stored, timer: 0 }, { ...first, timer: 0 });
    const named = timer(5, "named");
    await committed(adapter.store, arming(named));
    const [earliest] = await adapter.store.readDueTimers(5, 1);
    deepEqual({ ...earliest, timer: 0 }, { ...named, timer: 0 });
  },

  "fires a timer once: its unit removes it": async ({ store, published }) => {
    await committed(store, arming(timer(10)));
    const [stored] = await store.readDueTimers(10, 1);
    const fire = unitOf({ type: "timer", timer: stored!.timer }, { records: [newRecord("fired")] });
    deepEqual(await outcomes(store, fire, fire), ["committed", "already"]);
    deepEqual(await outcomes(store, fire), ["already"]);
    equal(await store.nextTimer(), undefined);
    deepEqual(await published(), ["fired"]);
  },

  "lets a later timer of one service and name replace the first; a replaced one fires no more": async (adapter) => {
    const { store } = adapter;
    await committed(store, arming(timer(10, "a"), timer(11, "b"), timer(12, "a", "elsewhere"), timer(13), timer(13)));
    const [replaced] = await store.readDueTimers(10, 1);
    await committed(store, arming(timer(20, "a")));
    deepEqual(await due(adapter, 99), [11, 12, 13, 13, 20]);
    deepEqual(await outcomes(store, unitOf({ type: "timer", timer: replaced!.timer }, {})), ["already"]);
  },

  "cancels a service's timer by name, before it sets those of the same unit": async (adapter) => {
    const { store } = adapter;
    await committed(store, arming(timer(10, "a"), timer(11, "b"), timer(12, "a", "elsewhere")));
    deepEqual(await outcomes(store, cancelling("a"), cancelling("nothing")), ["committed", "committed"]);
    deepEqual(await due(adapter, 99), [11, 12]);
    await committed(
      store,
      unitOf({ type: "publish" }, { cancels: [{ service: checkedService, name: "b" }], timers: [timer(50, "b")] }),
    );
    deepEqual(await due(adapter, 99), [12, 50]);
  },

  "takes each tick of a schedule once, and keeps which one comes next": async ({ store, published }) => {
    const row = { service: checkedService, schedule: "nightly", cron: "0 0 * * *", next: 100 };
    deepEqual(await store.ensureSchedule(row), row);
    deepEqual(await store.ensureSchedule({ ...row, next: 999 }), row);
    const tick = (at: number, next: number | undefined) =>
      unitOf(
        { type: "tick", service: checkedService, schedule: "nightly", tick: at, next },
        { records: [newRecord(`tick-${at}`)] },
      );
    deepEqual(await outcomes(store, tick(100, 200), tick(100, 200), tick(200, 300)), [
      "committed",
      "already",
      "committed",
    ]);
    equal((await store.ensureSchedule(row)).next, 300);
    await commit(store, tick(300, undefined));
    equal((await store.ensureSchedule(row)).next, undefined);
    deepEqual(await store.ensureSchedule({ ...row, cron: "1 0 * * *", next: 700 }), {
      ...row,
      cron: "1 0 * * *",
      next: 700,
    });
    deepEqual(await published(), ["tick-100", "tick-200", "tick-300"]);
  },
};

const statement = (text: string, rows?: number) =>
  unitOf({ type: "publish" }, { statements: [{ text, params: [], rows }], records: [newRecord(`sql ${text}`)] });

/** SQL read models, for stores that speak SQL. */
export const statementChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "runs migrations once each, in order, and refuses changed ones": async (adapter) => {
    const one = { name: "one", sql: "CREATE TABLE sold(id INTEGER PRIMARY KEY)" };
    const two = { name: "two", sql: "INSERT INTO sold VALUES (7)" };
    await adapter.store.migrate(checkedService, [one]);
    await adapter.reopen();
    const { store } = adapter;
    await store.migrate(checkedService, [one, two]);
    await store.migrate(checkedService, [one, two]);
    deepEqual(
      [...(await store.query("SELECT id FROM sold", []))].map((row) => row.id),
      [7],
    );
    await rejects(
      async () => store.migrate(checkedService, [{ ...one, sql: "CREATE TABLE other(id INTEGER)" }]),
      (error) => isFailure(error, "OPTION_INVALID"),
    );
  },

  "fails the unit alone whose statement fails or changes another number of rows": async ({ store, published }) => {
    await store.migrate(checkedService, [{ name: "one", sql: "CREATE TABLE sold(id INTEGER PRIMARY KEY)" }]);
    const group = await commit(
      store,
      statement("INSERT INTO sold VALUES (1)", 1),
      statement("INSERT INTO sold VALUES (1)"),
      statement("UPDATE sold SET id = 3 WHERE id = 9", 1),
      statement("NONSENSE"),
      statement("INSERT INTO sold VALUES (2)"),
    );
    deepEqual(
      group.map((outcome) => outcome.type),
      ["committed", "failed", "failed", "failed", "committed"],
    );
    for (const outcome of group)
      if (outcome.type === "failed") equal(isFailure(outcome.error, "STATEMENT_FAILED"), true, outcome.error.message);
    deepEqual(
      [...(await store.query("SELECT id FROM sold ORDER BY id", []))].map((row) => row.id),
      [1, 2],
    );
    deepEqual(await published(), ["sql INSERT INTO sold VALUES (1)", "sql INSERT INTO sold VALUES (2)"]);
  },

  "answers queries and does not let them write": async ({ store }) => {
    await store.migrate(checkedService, [{ name: "one", sql: "CREATE TABLE sold(id INTEGER PRIMARY KEY)" }]);
    await rejects(
      async () => store.query("INSERT INTO sold VALUES (5) RETURNING id", []),
      (error) => isFailure(error, "OPTION_INVALID"),
    );
    deepEqual(await store.query("SELECT id FROM sold", []), []);
  },
};
