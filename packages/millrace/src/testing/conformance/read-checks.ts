import { deepEqual, equal, ok } from "node:assert/strict";
import type { Position } from "../../store/unit.js";
import { act, appended, enteredAs, handled, type OperatorsUnderTest, registered } from "./operators-scene.js";
import type { Check } from "./suite.js";
import {
  checkedTopic,
  checkedConsumer as consumer,
  ensureThings,
  indexedThing,
  newRecord,
  checkedService as service,
  unitOf,
  writing,
} from "./units.js";

const commit = async ({ store }: OperatorsUnderTest, ...units: Parameters<typeof store.commit>[0]) => {
  for (const outcome of await store.commit(units, [])) equal(outcome.type, "committed");
};

/** What operators see besides events. */
export const readChecks: Readonly<Record<string, Check<OperatorsUnderTest>>> = {
  "topics say what they hold": async (on) => {
    const records = await appended(on, ["a", "b", "c"]);
    const topic = (await on.inspect.topics()).find(({ name }) => name === checkedTopic);
    deepEqual([topic?.partitions, topic?.records], [2, 3]);
    ok((topic?.end ?? 0) > records[2]!.offset);
  },

  "a consumer's lag counts what it has not handled of the types that it hears": async (on) => {
    const records = await appended(on, ["a", "b", "c", "d"], (id) => (id === "b" ? { type: "thing.other" } : {}));
    const [position] = await registered(on);
    const now = records[0]!.appended + 9_000;
    const [before] = await on.inspect.consumers(now);
    deepEqual([before?.consumer, before?.service, before?.lagRecords, before?.lagMs], [consumer, service, 3, 9_000]);
    deepEqual(before?.topics, [{ topic: checkedTopic, types: ["thing.done"] }]);
    await handled(on, { position: position as Position, record: records[0]! });
    await handled(on, { position: position as Position, record: records[3]! });
    const [half] = await on.inspect.consumers(now);
    deepEqual([half?.lagRecords, half?.lagMs], [1, now - records[2]!.appended]);
    const own = half?.positions.find(({ partition }) => partition === 0);
    equal(own?.oldestPendingAt, records[2]!.appended);
    equal(own?.end, (await on.log.ends(checkedTopic))[0]);
    await enteredAs(on, { position: position as Position, record: records[2]! });
    const [rest] = await on.inspect.consumers(now);
    deepEqual([rest?.lagRecords, rest?.lagMs, rest?.dead], [0, 0, 1]);
    const [early] = await on.inspect.consumers(0);
    equal(early?.lagMs, 0);
  },

  "a consumer's entries are counted by their state, and what a slow handler has is lag": async (on) => {
    const records = await appended(on, ["a", "b", "c", "d"]);
    const position = (await registered(on))[0] as Position;
    for (const [n, state] of (["dead", "following", "parked", "running"] as const).entries())
      await enteredAs(on, { position, record: records[n]! }, { state, lane: n < 2 ? "k" : `other-${n}` });
    const [view] = await on.inspect.consumers(records[3]!.appended + 5);
    deepEqual([view?.dead, view?.following, view?.parked], [1, 1, 1]);
    deepEqual([view?.lagRecords, view?.lagMs], [1, 5]);
  },

  "an event is in one state for each consumer that hears it": async (on) => {
    const [record, other] = await appended(on, ["a", "b"]);
    const [first, second, third] = [
      ...[
        (await registered(on, "c-done"))[0],
        (await registered(on, "c-dead"))[0],
        (await registered(on, "c-slow"))[0],
      ],
    ] as [Position, Position, Position];
    await registered(on, "c-none");
    await handled(on, { position: first, record: record! });
    const dead = await enteredAs(on, { position: second, record: record! });
    const slow = await enteredAs(on, { position: third, record: record! }, { state: "running" });
    deepEqual(await on.inspect.deliveries(record!), [
      { consumer: "c-dead", state: "dead", entry: dead },
      { consumer: "c-done", state: "applied" },
      { consumer: "c-none", state: "pending" },
      { consumer: "c-slow", state: "pending", entry: slow },
    ]);
    equal(
      (await on.inspect.deliveries(other!)).every(({ state }) => state === "pending"),
      true,
    );
    deepEqual(await on.inspect.deliveries({ ...record!, type: "thing.unheard" }), []);
  },

  "documents are found by their id, in order, and by what is indexed": async (on) => {
    await ensureThings(on.store);
    const things = [
      indexedThing("b", { group: "07", mail: "b@x" }),
      indexedThing("a", { group: 7, mail: "a@x" }),
      indexedThing("c", { group: 7, mail: "c@x" }),
    ];
    await commit(on, writing(things));
    deepEqual(
      (await on.inspect.documentTypes()).map((type) => [type.service, type.name]),
      [[service, "things"]],
    );
    const found = async (more: object) =>
      (await on.inspect.documents({ service, type: "things", limit: 10, ...more })).map(({ id }) => id);
    deepEqual(await found({}), ["a", "b", "c"]);
    deepEqual(await found({ id: "b" }), ["b"]);
    deepEqual(await found({ after: "a", limit: 1 }), ["b"]);
    deepEqual(await found({ field: "group", value: 7 }), ["a", "c"]);
    deepEqual(await found({ field: "group", value: "07" }), ["b"]);
    deepEqual(await found({ type: "unknown" }), []);
    deepEqual(await found({ limit: -1 }), []);
    const [one] = await on.inspect.documents({ service, type: "things", id: "a", limit: 1 });
    deepEqual(JSON.parse(one?.text ?? "{}"), { id: "a", group: 7, mail: "a@x" });
  },

  "timers that wait are found by what they belong to, those due first first": async (on) => {
    const timer = (name: string, due: number, correlationId: string) => ({
      ...{ service, name, due, armed: undefined },
      record: newRecord(name, { correlationId }),
    });
    const timers = [
      timer("late", act.at + 9, "order-1"),
      timer("soon", act.at + 1, "order-1"),
      timer("x", 1, "order-2"),
    ];
    await commit(on, unitOf({ type: "publish" }, { timers }));
    deepEqual(
      (await on.inspect.timers("order-1", 10)).map(({ name, due, service: of }) => [name, due, of]),
      [
        ["soon", act.at + 1, service],
        ["late", act.at + 9, service],
      ],
    );
    equal((await on.inspect.timers("order-1", 1)).length, 1);
  },

  "schedules, operations and the audit say what is stored": async (on) => {
    await on.store.ensureSchedule({ service, schedule: "nightly", cron: "0 0 * * *", next: 7 });
    await on.store.ensureSchedule({ service, schedule: "over", cron: "* * * * *", next: undefined });
    deepEqual(await on.inspect.schedules(), [
      { service, schedule: "nightly", cron: "0 0 * * *", next: 7 },
      { service, schedule: "over", cron: "* * * * *", next: undefined },
    ]);
    const operation = { id: "op", command: "do-it", key: "k", correlationId: "op", fingerprint: undefined };
    const claim = { type: "operation", operation: { ...operation, idempotency: undefined } } as const;
    await commit(on, unitOf(claim, {}));
    const found = await on.inspect.operation("op");
    deepEqual([found?.state, found?.command, found?.finished], ["accepted", "do-it", undefined]);
    equal(await on.inspect.operation("other"), undefined);
    const notes = ["first", "second", "third"].map((target) => ({ actor: "bob", act: "note", target, reason: "r" }));
    await commit(on, unitOf({ type: "publish" }, { audit: notes }));
    deepEqual(
      (await on.inspect.audit(2)).map(({ target, actor }) => [target, actor]),
      [
        ["third", "bob"],
        ["second", "bob"],
      ],
    );
    deepEqual(await on.inspect.audit(-1), []);
  },

  "the doctor finds dead letters, and nothing else to complain of": async (on) => {
    const wrong = async () => (await on.inspect.doctor()).filter(({ ok: sound }) => !sound).map(({ check }) => check);
    const [record] = await appended(on, ["a"]);
    deepEqual(await wrong(), []);
    // A registration with another incarnation than the topic's would be found, too.
    const topic = (await on.inspect.topics()).find(({ name }) => name === checkedTopic);
    const topics = [
      { topic: checkedTopic, incarnation: topic?.incarnation ?? "", types: ["thing.done"], start: [0, 0] },
    ];
    const [position] = await on.store.acquire({ consumer, service, topics });
    await enteredAs(on, { position: position as Position, record: record! });
    deepEqual(await wrong(), ["dead-letters"]);
  },
};
