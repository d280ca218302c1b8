import { deepEqual, equal, ok } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { NewOperation } from "../../store/unit.js";
import type { StoreUnderTest } from "./store.js";
import type { Check } from "./suite.js";
import {
  acquire,
  assertPosition,
  checkedConsumer,
  checkedTopic,
  commit,
  committed,
  newRecord,
  outcomes,
  recordClaim,
  unitOf,
} from "./units.js";

const publishing = (id: string) => ({ records: [newRecord(id)] });

/** Claims of records, positions, operations and direct publishes: what is done once is not done again. */
export const claimChecks: Readonly<Record<string, Check<StoreUnderTest>>> = {
  "takes effect once for a record, however often its unit is sent": async ({ store, published }) => {
    const [position] = await acquire(store);
    const unit = unitOf(recordClaim(position!, 0), publishing("once"));
    deepEqual(await outcomes(store, unit), ["committed"]);
    deepEqual(await outcomes(store, unit), ["already"]);
    const twice = unitOf(recordClaim(position!, 1), publishing("twice"));
    deepEqual(await outcomes(store, twice, twice), ["committed", "already"]);
    deepEqual(await published(), ["once", "twice"]);
  },

  "keeps the frontier at the first record that is not done, and remembers what is done above it": async (adapter) => {
    const { store } = adapter;
    const [position] = await acquire(store);
    const finish = (offset: number, start = offset) => unitOf(recordClaim(position!, offset, start), {});
    await commit(store, finish(5), finish(9, 8));
    await assertPosition(store, position!, {
      frontier: 0,
      finished: [
        [5, 6],
        [8, 10],
      ],
    });
    deepEqual(await outcomes(store, finish(5), finish(8), finish(9), finish(7)), [
      "already",
      "already",
      "already",
      "committed",
    ]);
    await commit(store, finish(4, 0));
    await assertPosition(store, position!, { frontier: 6, finished: [[7, 10]] });
    await adapter.store.commit([], [{ position: position!, start: 6, end: 7 }]);
    await assertPosition(store, position!, { frontier: 10, finished: [] });
    deepEqual(await outcomes(store, finish(3)), ["already"]);
  },

  "finishes what a record's claim covers with the record, or not at all": async ({ store }) => {
    const [position] = await acquire(store);
    const covers = [
      [2, 3],
      [4, 6],
    ] as const;
    const unit = unitOf({ ...recordClaim(position!, 8), covers }, {});
    const stale = { ...unit, reads: [{ service: "s", type: "t", id: "absent", version: 7 }] };
    deepEqual(await outcomes(store, stale), ["reload"]);
    await assertPosition(store, position!, { frontier: 0, finished: [] });
    deepEqual(await outcomes(store, unit), ["committed"]);
    await assertPosition(store, position!, {
      frontier: 0,
      finished: [
        [2, 3],
        [4, 6],
        [8, 9],
      ],
    });
    const again = [2, 4, 5, 8].map((offset) => unitOf(recordClaim(position!, offset), {}));
    deepEqual(await outcomes(store, ...again), ["already", "already", "already", "already"]);
  },

  "moves positions over what passed by": async ({ store }) => {
    const [zero, one] = await acquire(store, [0, 7]);
    await store.commit(
      [],
      [
        { position: zero!, start: 0, end: 500 },
        { position: one!, start: 7, end: 9 },
      ],
    );
    await assertPosition(store, zero!, { frontier: 500, finished: [] });
    await assertPosition(store, one!, { frontier: 9, finished: [] });
  },

  "drops the units of a position that was acquired anew, and only those": async ({ store, published }) => {
    const [old] = await acquire(store);
    const [position] = await acquire(store);
    ok(position!.epoch > old!.epoch);
    const group = [
      unitOf(recordClaim(old!, 0), publishing("zombie")),
      unitOf(recordClaim(position!, 0), publishing("living")),
    ];
    deepEqual(await outcomes(store, ...group), ["fenced", "committed"]);
    deepEqual(await published(), ["living"]);
  },

  "registers a consumer once, and goes on where its positions are": async (adapter) => {
    equal(await adapter.store.readRegistration(checkedConsumer), undefined);
    const [zero, one] = await acquire(adapter.store, [3, 4]);
    deepEqual([zero!.frontier, one!.frontier, zero!.generation, zero!.crashes], [3, 4, 1, 0]);
    await commit(adapter.store, unitOf(recordClaim(zero!, 3), {}), unitOf(recordClaim(one!, 6), {}));
    await adapter.reopen();
    const { store } = adapter;
    const registration = await store.readRegistration(checkedConsumer);
    deepEqual(registration?.topics, [
      { topic: checkedTopic, incarnation: "one", types: ["thing.done"], start: [4, 4] },
    ]);
    const again = await acquire(store, [100, 100]);
    deepEqual(
      again.map(({ frontier, finished }) => [frontier, finished]),
      [
        [4, []],
        [4, [[6, 7]]],
      ],
    );
    deepEqual(await outcomes(store, unitOf(recordClaim(again[1]!, 6), {})), ["already"]);
  },

  "publishes the records of a group in its order, with the rest of their units": async ({ store, published }) => {
    const [position] = await acquire(store);
    const ids = Array.from({ length: 20 }, (_, n) => `r${n}`);
    await commit(store, ...ids.map((id, n) => unitOf(recordClaim(position!, n), publishing(id))));
    deepEqual(await published(), ids);
  },

  "does a command once for an idempotency key, and tells repeats what became of it": async ({ store, published }) => {
    const operation = (id: string, key: string | undefined): NewOperation => ({
      id,
      command: "do-it",
      key: "k",
      correlationId: id,
      fingerprint: "content",
      idempotency: key === undefined ? undefined : { scope: "web", key },
    });
    const sending = (id: string, key?: string) =>
      unitOf({ type: "operation", operation: operation(id, key) }, publishing(id));
    deepEqual(await outcomes(store, sending("one", "k1"), sending("two", "k1"), sending("three")), [
      "committed",
      "already",
      "committed",
    ]);
    const [position] = await acquire(store);
    const result = { operation: "one", state: "refused", refused: "LIMIT", detail: "at most 5" } as const;
    await committed(store, unitOf(recordClaim(position!, 0), { result }));
    // The same key, the same id with a new key, and the same id without one.
    for (const again of [sending("four", "k1"), sending("one", "k9"), sending("one")]) {
      const [outcome] = await commit(store, again);
      ok(outcome?.type === "already");
      equal(outcome.operation?.id, "one");
      equal(outcome.operation?.state, "refused");
    }
    const stored = await store.readOperation("one");
    deepEqual([stored?.refused, stored?.detail, stored?.fingerprint], ["LIMIT", "at most 5", "content"]);
    equal((await store.readOperation("three"))?.state, "accepted");
    equal(await store.readOperation("two"), undefined);
    deepEqual(await published(), ["one", "three"]);
  },

  "lets a command that had failed succeed later, and keeps any other answer as it is": async ({ store }) => {
    const operation = { id: "one", command: "do-it", key: "k", correlationId: "one", fingerprint: undefined };
    await committed(store, unitOf({ type: "operation", operation: { ...operation, idempotency: undefined } }, {}));
    const [position] = await acquire(store);
    const states: unknown[] = [];
    for (const [offset, state] of (["failed", "committed", "failed"] as const).entries()) {
      await committed(store, unitOf(recordClaim(position!, offset), { result: { operation: "one", state } }));
      states.push((await store.readOperation("one"))?.state);
    }
    deepEqual(states, ["failed", "committed", "committed"]);
  },

  "stores a direct publish once for its identity, and refuses it with other content, alone": async (adapter) => {
    const { store } = adapter;
    const publish = (id: string, data: string) =>
      unitOf({ type: "publish" }, { records: [newRecord(id, { data, partition: 0 })] });
    const group = await commit(store, publish("a", "1"), publish("a", "1"), publish("a", "2"), publish("b", "1"));
    deepEqual(
      group.map((outcome) => outcome.type),
      ["committed", "committed", "failed", "committed"],
    );
    ok(group[2]?.type === "failed" && isFailure(group[2].error, "EVENT_ID_REUSED"));
    deepEqual(await adapter.published(), ["a", "b"]);
  },

  "holds what it has committed when it is opened again": async (adapter) => {
    const [position] = await acquire(adapter.store);
    await commit(adapter.store, unitOf(recordClaim(position!, 0), publishing("kept")));
    await adapter.reopen();
    await assertPosition(adapter.store, position!, { frontier: 1, finished: [] });
    deepEqual(await adapter.published(), ["kept"]);
  },
};
