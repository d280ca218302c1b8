import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { isFailure } from "../../failure/failure.js";
import type { Position } from "../../store/unit.js";
import {
  act,
  appended,
  enteredAs,
  handled,
  later,
  letters,
  type OperatorsUnderTest,
  registered,
} from "./operators-scene.js";
import type { Check } from "./suite.js";
import { checkedService, checkedConsumer as consumer, newRecord, recordClaim, unitOf } from "./units.js";

const ids = (count: number) => Array.from({ length: count }, (_, n) => `e${n}`);
const positionOf = async ({ inspect }: OperatorsUnderTest, partition = 0) => {
  const view = (await inspect.consumers(act.at)).find((one) => one.consumer === consumer);
  return view?.positions.find((position) => position.partition === partition);
};

/** Ten events in the first partition, of which the first six are handled. */
async function sixOfTen(on: OperatorsUnderTest) {
  const records = await appended(on, ids(10));
  const position = (await registered(on))[0] as Position;
  for (const record of records.slice(0, 6)) await handled(on, { position, record });
  return { records, position };
}

/** What operators do to consumers. */
export const consumerActChecks: Readonly<Record<string, Check<OperatorsUnderTest>>> = {
  "a consumer is paused once, with the first reason, until it is resumed": async (on) => {
    await registered(on);
    equal((await on.operate.pause(consumer, act)).changed, 1);
    equal((await on.operate.pause(consumer, later(1))).changed, 0);
    const { actor, reason, at } = act;
    deepEqual({ ...(await on.store.readPause(consumer)) }, { actor, reason, at });
    deepEqual((await on.inspect.consumers(0))[0]?.paused, { actor, reason, at });
    equal((await on.operate.resume(consumer, act)).changed, 1);
    equal((await on.operate.resume(consumer, act)).changed, 0);
    equal(await on.store.readPause(consumer), undefined);
    await rejects(
      async () => on.operate.pause("nobody", act),
      (error) => isFailure(error, "NOT_FOUND"),
    );
  },

  "a forgotten consumer leaves nothing behind, and what is under way for it is refused": async (on) => {
    const { position, records, entries } = await letters(on, ["a", "b"]);
    await on.operate.edit({ entry: entries[0]!, id: "edited", data: "{}", version: 1 }, act);
    ok((await on.operate.forget(consumer, act)).changed > 0);
    deepEqual(await on.inspect.consumers(0), []);
    deepEqual(await on.inspect.entries({ limit: 10 }), []);
    deepEqual(await on.inspect.amendments(), []);
    const [outcome] = await on.store.commit([unitOf(recordClaim(position, records[1]!.offset + 1), {})], []);
    equal(outcome?.type, "fenced");
    await rejects(
      async () => on.operate.forget(consumer, act),
      (error) => isFailure(error, "NOT_FOUND"),
    );
    const [anew] = await registered(on);
    equal(anew?.frontier, 0);
  },

  "going back opens the next generation: what waits from there on is kept with a job and read again": async (on) => {
    const { records, position } = await sixOfTen(on);
    const dead = await enteredAs(on, { position, record: records[6]! }, { lane: "k" });
    const behind = await enteredAs(
      on,
      { position, record: records[7]! },
      {
        ...{ lane: "k", state: "following", attempt: 0, failure: undefined },
      },
    );
    const timer = {
      ...{ service: checkedService, name: "reminder", due: act.at + 1, record: newRecord("reminded") },
      armed: { consumer, topic: records[5]!.topic, partition: 0, offset: records[5]!.offset },
    };
    await on.store.commit([unitOf({ type: "publish" }, { timers: [timer] })], []);
    const seek = { consumer, to: { type: "offset", offset: records[5]!.offset }, partition: 0, mute: false } as const;
    const [step] = await on.inspect.seekSteps(seek);
    const { from, to, again, skipped, waiting, timers, exact } = step ?? {};
    deepEqual(
      { from, to, again, skipped, waiting, timers, exact },
      { from: records[8]!.offset, to: records[5]!.offset, again: 3, skipped: 0, waiting: 2, timers: 1, exact: true },
    );
    const done = await on.operate.seek(seek, act);
    deepEqual([done.changed, done.lanes], [1, [{ consumer, lane: "k" }]]);
    const moved = await positionOf(on);
    deepEqual([moved?.frontier, moved?.finished], [records[5]!.offset, []]);
    equal(moved?.generation, position.generation + 1);
    ok((moved?.epoch ?? 0) > position.epoch);
    deepEqual([await on.inspect.entry(dead), await on.inspect.entry(behind)], [undefined, undefined]);
    equal(await on.store.nextTimer(), undefined);
    const kept = await on.inspect.jobExports(done.job ?? 0, { after: 0, limit: 10 });
    deepEqual(
      kept.map((one) => (one.kind === "entry" ? one.entry.entry : one.timer.name)),
      ["reminder", dead, behind],
    );
    const job = await on.inspect.job(done.job ?? 0);
    deepEqual([job?.kind, job?.state, job?.exported], ["seek", "done", 3]);
    const [outcome] = await on.store.commit([unitOf(recordClaim(position, records[9]!.offset), {})], []);
    equal(outcome?.type, "fenced");
  },

  "a move that is sent again is not done again": async (on) => {
    const { records, position } = await sixOfTen(on);
    await enteredAs(on, { position, record: records[6]! });
    const seek = { consumer, to: { type: "beginning" }, mute: false } as const;
    const first = await on.operate.seek(seek, act);
    const [anew] = await registered(on);
    await handled(on, { position: anew as Position, record: records[0]! });
    const again = await on.operate.seek(seek, act);
    deepEqual([first.changed > 0, again.changed, again.job], [true, 0, first.job]);
    equal((await positionOf(on))?.frontier, records[0]!.offset + 1);
  },

  "going on passes over what was not done, and keeps the generation": async (on) => {
    const { records, position } = await sixOfTen(on);
    await handled(on, { position, record: records[8]! });
    const seek = { consumer, to: { type: "offset", offset: records[7]!.offset }, partition: 0, mute: false } as const;
    const [step] = await on.inspect.seekSteps(seek);
    deepEqual([step?.again, step?.skipped], [0, 1]);
    const done = await on.operate.seek(seek, act);
    deepEqual([done.changed, done.job], [1, undefined]);
    const moved = await positionOf(on);
    deepEqual([moved?.frontier, moved?.generation], [records[7]!.offset, position.generation]);
    deepEqual(moved?.finished, [[records[8]!.offset, records[8]!.offset + 1]]);
  },

  "a muted move back is refused while events from there on wait, and mutes what was handled": async (on) => {
    const { records, position } = await sixOfTen(on);
    const dead = await enteredAs(on, { position, record: records[6]! });
    const seek = { consumer, to: { type: "offset", offset: records[2]!.offset }, partition: 0, mute: true } as const;
    await rejects(
      async () => on.operate.seek(seek, act),
      (error) => isFailure(error, "CONFLICT"),
    );
    await on.operate.skip([dead], act);
    equal((await on.operate.seek(seek, later(1))).changed, 1);
    const [mute] = await on.store.readMutes(consumer);
    deepEqual([mute?.partition, mute?.until], [0, records[7]!.offset]);
    await on.operate.seek({ ...seek, to: { type: "beginning" }, mute: false }, later(2));
    deepEqual(await on.store.readMutes(consumer), []);
  },

  "a move to a time goes to the first event that reached the log then": async (on) => {
    const { records } = await sixOfTen(on);
    const at = records[9]!.appended + 1;
    const seek = { consumer, to: { type: "time", at }, partition: 0, mute: false } as const;
    await on.operate.seek(seek, act);
    equal((await positionOf(on))?.frontier, (await on.log.ends(records[0]!.topic))[0]);
    await on.operate.seek({ ...seek, to: { type: "time", at: 0 } }, act);
    equal((await positionOf(on))?.frontier, records[0]!.offset);
  },

  "a move to where nothing is, or of what is not heard, is refused": async (on) => {
    const { records } = await sixOfTen(on);
    const refused = async (more: object, code: "NOT_FOUND" | "OPTION_INVALID") =>
      rejects(
        async () => on.operate.seek({ consumer, to: { type: "end" }, mute: false, ...more }, act),
        (error) => isFailure(error, code),
      );
    await refused({ consumer: "nobody" }, "NOT_FOUND");
    await refused({ topic: "unheard" }, "OPTION_INVALID");
    await refused({ partition: 7 }, "OPTION_INVALID");
    await refused({ to: { type: "offset", offset: records[9]!.offset + 1_000_000 } }, "OPTION_INVALID");
    deepEqual(await on.inspect.audit(10), []);
  },
};
