import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { Position } from "../../store/unit.js";
import { act, appended, enteredAs, entering, letters, type OperatorsUnderTest, registered } from "./operators-scene.js";
import type { Check } from "./suite.js";
import { committed, checkedConsumer as consumer, outcomes, unitOf } from "./units.js";

const stateOf = async ({ inspect }: OperatorsUnderTest, entry: number) => (await inspect.entry(entry))?.state;
const audited = async ({ inspect }: OperatorsUnderTest) =>
  (await inspect.audit(100)).map(({ act: verb, target }) => `${verb} ${target}`);

/** What operators do to dead letters. */
export const deadLetterChecks: Readonly<Record<string, Check<OperatorsUnderTest>>> = {
  "an edit replaces the event for its consumer, and the letter stays dead until it is redriven": async (on) => {
    const { entries, records } = await letters(on, ["first"]);
    const [letter = 0] = entries;
    deepEqual(await on.operate.edit({ entry: letter, id: "edited", data: '{"total":5}', version: 1 }, act), {
      changed: 1,
      lanes: [],
    });
    const entry = await on.inspect.entry(letter);
    equal(entry?.state, "dead");
    const { id, causationId, correlationId, offset, data } = entry?.record ?? {};
    deepEqual(
      { id, causationId, correlationId, offset, data },
      { id: "edited", causationId: "first", correlationId: "first", offset: records[0]?.offset, data: { total: 5 } },
    );
    const [amendment, ...others] = await on.inspect.amendments(consumer);
    deepEqual([amendment?.act, amendment?.id, amendment?.data, others], ["replace", "edited", '{"total":5}', []]);
    deepEqual([amendment?.actor, amendment?.reason, amendment?.at], [act.actor, act.reason, act.at]);
    deepEqual(await on.store.readAmendments(consumer), [amendment]);
  },

  "an edit that is sent again changes nothing, and another one takes its place": async (on) => {
    const { entries } = await letters(on, ["first"]);
    const [letter = 0] = entries;
    await on.operate.edit({ entry: letter, id: "edited", data: "{}", version: 1 }, act);
    equal((await on.operate.edit({ entry: letter, id: "edited", data: "{}", version: 1 }, act)).changed, 0);
    equal((await audited(on)).length, 1);
    await on.operate.edit({ entry: letter, id: "again", data: '{"a":1}', version: 1 }, act);
    const { id, causationId, data } = (await on.inspect.entry(letter))?.record ?? {};
    deepEqual({ id, causationId, data }, { id: "again", causationId: "first", data: { a: 1 } });
    deepEqual(
      (await on.inspect.amendments(consumer)).map((amendment) => amendment.id),
      ["again"],
    );
  },

  "an edit is refused when there is no such letter, when it is not dead, and when it is no JSON": async (on) => {
    const { entries, position } = await letters(on, ["first"]);
    const [late] = await appended(on, ["late"]);
    const parked = await enteredAs(on, { position, record: late! }, { state: "parked" });
    const edit = async (entry: number, data = "{}") =>
      on.operate.edit({ entry: entry, id: "edited", data: data, version: 1 }, act);
    await rejects(edit(99_999_999), (error) => isFailure(error, "NOT_FOUND"));
    await rejects(edit(parked), (error) => isFailure(error, "CONFLICT"));
    await rejects(edit(entries[0]!, "{"), (error) => isFailure(error, "RECORD_UNDECODABLE"));
    deepEqual(await on.inspect.amendments(), []);
    deepEqual(await on.inspect.audit(10), []);
  },

  "a skip lets the followers go on, and the event is skipped for its consumer from now on": async (on) => {
    const { entries, position, records } = await letters(on, ["head", "next", "last"], (id) => ({
      lane: "k",
      ...(id === "head" ? {} : { state: "following", attempt: 0, failure: undefined }),
    }));
    const [head = 0, next = 0, last = 0] = entries;
    const lanes = [{ consumer, lane: "k" }];
    deepEqual(await on.operate.skip([head], act), { changed: 1, lanes, unchanged: [] });
    equal(await on.inspect.entry(head), undefined);
    deepEqual([await stateOf(on, next), await stateOf(on, last)], ["parked", "following"]);
    deepEqual(await on.store.readLaneHead(consumer, "k"), {
      ...{ lane: "k", entry: next, state: "parked", due: act.at, holds: true },
    });
    deepEqual(await on.inspect.deliveries(records[0]!), [{ consumer, state: "skipped" }]);
    const claim = { type: "lane-entry", position, entry: next, attempt: 0, redrives: 0 } as const;
    await committed(on.store, unitOf(claim, {}));
    equal(await stateOf(on, last), "parked");
    deepEqual(await audited(on), [`skip dead letter ${head} of ${consumer}`]);
  },

  "an act on many passes over what is gone or not dead, so that it can be sent again": async (on) => {
    const { entries, position } = await letters(on, ["a", "b"]);
    const [a = 0, b = 0] = entries;
    const [late] = await appended(on, ["late"]);
    const parked = await enteredAs(on, { position, record: late! }, { state: "parked" });
    const all = [b, parked, a, 99_999_999, a];
    const first = await on.operate.redrive(all, act);
    deepEqual([first.changed, [...first.unchanged].sort()], [2, [parked, 99_999_999].sort()]);
    const again = await on.operate.redrive(all, act);
    deepEqual([again.changed, again.lanes, again.unchanged.length], [0, [], 4]);
    const skipped = await on.operate.skip([99_999_999], act);
    deepEqual(skipped, { changed: 0, lanes: [], unchanged: [99_999_999] });
  },

  "a redrive gives a letter a fresh count of attempts, and its followers run after it, in order": async (on) => {
    const { entries, position } = await letters(on, ["head", "next"], (id) => ({
      lane: "k",
      ...(id === "head" ? {} : { state: "following", attempt: 0, failure: undefined }),
    }));
    const [head = 0, next = 0] = entries;
    const lanes = [{ consumer, lane: "k" }];
    deepEqual(await on.operate.redrive([head], act), { changed: 1, lanes, unchanged: [] });
    const entry = await on.inspect.entry(head);
    deepEqual([entry?.state, entry?.attempt, entry?.due, entry?.redrives], ["parked", 0, act.at, 1]);
    const claim = { type: "lane-entry", position, entry: head, attempt: 0, redrives: 1 } as const;
    await committed(on.store, unitOf(claim, {}));
    deepEqual([await stateOf(on, head), await stateOf(on, next)], [undefined, "parked"]);
  },

  "a letter that has let others pass holds its lane while it runs again": async (on) => {
    const { entries, position } = await letters(on, ["poison"], () => ({ lane: "k", holds: false }));
    await on.operate.redrive(entries, act);
    deepEqual((await on.store.readLaneHead(consumer, "k"))?.holds, true);
    const [record] = await appended(on, ["behind"]);
    const claim = { type: "record", position, start: record!.offset, offset: record!.offset } as const;
    const [outcome] = await on.store.commit([unitOf(claim, {}, { lane: "k" })], []);
    equal(outcome?.type, "held");
  },

  "what becomes of an event for one build of a view becomes of it for all": async (on) => {
    const records = await appended(on, ["first", "second"]);
    const entries = new Map<string, number>();
    for (const build of ["checking.view@1", "checking.view@2"]) {
      const [position] = await registered(on, build);
      for (const record of records)
        entries.set(`${build} ${record.id}`, await enteredAs(on, { position: position as Position, record }));
    }
    const of = (build: number, id: string) => entries.get(`checking.view@${build} ${id}`) ?? 0;
    const skipped = await on.operate.skip([of(1, "first"), of(2, "first")], act);
    deepEqual([skipped.changed, skipped.lanes.length, skipped.unchanged], [1, 2, [of(2, "first")]]);
    deepEqual(await on.inspect.entry(of(2, "first")), undefined);
    deepEqual(
      (await on.inspect.amendments("checking.view@2")).map((amendment) => [amendment.consumer, amendment.act]),
      [["checking.view", "skip"]],
    );
    await on.operate.edit({ entry: of(2, "second"), id: "edited", data: "{}", version: 1 }, act);
    equal((await on.inspect.entry(of(1, "second")))?.record.id, "edited");
    const redriven = await on.operate.redrive([of(1, "second")], act);
    deepEqual([redriven.changed, redriven.lanes.length], [1, 2]);
    deepEqual([await stateOf(on, of(1, "second")), await stateOf(on, of(2, "second"))], ["parked", "parked"]);
  },

  "a build does not give up on an event that was amended for another build while it ran, and runs again with it":
    async (on) => {
      const records = await appended(on, ["first", "second", "third"]);
      const view = async (build: number) => (await registered(on, `checking.view@${build}`))[0] as Position;
      const [one, two] = [await view(1), await view(2)];
      const entries: number[] = [];
      for (const record of records) entries.push(await enteredAs(on, { position: one, record }));
      const gaveUp = async (n: number, id = records[n]!.id) => {
        const unit = entering({ position: two, record: { ...records[n]!, id } });
        return (await outcomes(on.store, unit))[0];
      };
      await on.operate.skip([entries[0]!], act);
      await on.operate.edit({ entry: entries[1]!, id: "edited", data: "{}", version: 1 }, act);
      deepEqual([await gaveUp(0), await gaveUp(1)], ["reload", "reload"]);
      deepEqual([await gaveUp(1, "edited"), await gaveUp(2)], ["committed", "committed"]);
      await on.operate.skip([entries[1]!], act);
      deepEqual(
        (await on.inspect.entries({ limit: 10 })).map(({ record }) => record.id),
        ["third", "third"],
      );
      // What it tries once more later runs again with the redrive, as the dead letter does.
      const [late] = await appended(on, ["late"]);
      const dead = await enteredAs(on, { position: one, record: late! });
      const parked = await enteredAs(on, { position: two, record: late! }, { state: "parked", attempt: 2 });
      await on.operate.redrive([dead], act);
      const { attempt, redrives } = (await on.inspect.entry(parked)) ?? {};
      deepEqual([attempt, redrives], [0, 1]);
    },

  "dead letters are found by their consumer, state, failure, lane and event, and in groups that fail alike": async (
    on,
  ) => {
    const failure = { code: "NOT_YET", message: "m", fingerprint: "other", at: 3 };
    const { entries } = await letters(on, ["a", "b", "c"], (id) => (id === "c" ? { failure, since: 7 } : {}));
    const [a = 0, b = 0, c = 0] = entries;
    const found = async (query: object) =>
      (await on.inspect.entries({ limit: 10, ...query })).map(({ entry }) => entry);
    deepEqual(await found({}), [a, b, c]);
    deepEqual(await found({ state: "parked" }), []);
    deepEqual(await found({ consumer, fingerprint: "other" }), [c]);
    deepEqual(await found({ lane: "k-b" }), [b]);
    deepEqual(await found({ event: { key: "k-a" } }), [a]);
    deepEqual(await found({ event: { data: [{ path: "n", op: ">", value: "0" }] } }), [b, c]);
    deepEqual(await found({ afterEntry: a, limit: 1 }), [b]);
    deepEqual(await found({ limit: -1 }), []);
    const groups = await on.inspect.deadGroups({ limit: 10 });
    deepEqual(
      groups.map(({ fingerprint, count, keys, consumers, first, last, example }) => [
        ...[fingerprint, count, keys, consumers, first, last, example.entry],
      ]),
      [
        ["abc", 2, 2, [consumer], 1_000, 1_000, a],
        ["other", 1, 1, [consumer], 7, 7, c],
      ],
    );
    deepEqual(await on.inspect.deadGroups({ consumer: "nobody", limit: 10 }), []);
    ok((await on.inspect.deadGroups({ limit: 1 })).length === 1);
  },
};
