import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { silentLogger } from "../runtime/logger.js";
import { seededRandom } from "../runtime/random.js";
import type { Position } from "../store/unit.js";
import {
  checkedConsumer,
  checkedService,
  checkedTopic,
  newEntry,
  newRecord,
  readRecord,
  recordClaim,
  unitOf,
} from "../testing/conformance/units.js";
import { endTrials, tempFolder } from "../testing/trial.js";
import { virtualClock } from "../testing/virtual-clock.js";
import { type Bell, Core } from "./core.js";
import { prepareFile } from "./format.js";
import { LaneTables } from "./lane-tables.js";
import { openDatabase } from "./sqlite.js";

const topics = [{ topic: checkedTopic, incarnation: "one", types: ["thing.done"], start: [0, 0] }];
const registration = { consumer: checkedConsumer, service: checkedService, topics };
const act = { actor: "ann", reason: "a test", at: 1_000 };
const clock = virtualClock();
let file: string;
let core: Core;
beforeEach(() => {
  file = join(tempFolder(), "millrace.db");
  core = openCore();
});
afterEach(async () => {
  await core.close();
  await endTrials();
});

function openCore(): Core {
  const database = openDatabase(file);
  const context = { clock, random: seededRandom(1), logger: silentLogger };
  return new Core({ file, database, reader: database, prepared: prepareFile(database, file, 0), context });
}

async function filled(): Promise<readonly Position[]> {
  const { log, writes } = core.door("member");
  await log.ensureTopic({ name: checkedTopic, partitions: 2, owner: checkedService, key: "k", retentionMs: undefined });
  await log.append(["a", "b", "c"].map((id) => newRecord(id, { partition: 0 })));
  return writes.acquire(registration);
}

it("what a member sends behind a move is checked against the moved positions, though nobody waited for the move", async () => {
  const [position] = (await filled()) as [Position];
  const { writes, operate } = core.door("member");
  const moving = operate.seek({ consumer: checkedConsumer, to: { type: "end" }, mute: false }, act);
  expect(writes.commit([unitOf(recordClaim(position, 0), {})], [])).toEqual([{ type: "fenced" }]);
  expect(await moving).toMatchObject({ changed: 2 });
});

it("what joins a lane behind a skip is its head, though nobody waited for the skip", async () => {
  const [position] = (await filled()) as [Position];
  const { writes, operate } = core.door("member");
  const dead = unitOf(recordClaim(position, 0), { entry: newEntry(0, { state: "dead" }) }, { lane: "k" });
  const [outcome] = writes.commit([dead], []);
  const entry = outcome?.type === "committed" ? (outcome.entry ?? 0) : 0;
  const skipping = operate.skip([entry], act);
  const follower = { ...newEntry(1, { state: "following", failure: undefined }), record: readRecord(1) };
  writes.commit([unitOf(recordClaim(position, 1), { entry: follower }, { lane: "k" })], []);
  expect(core.reads.readLaneHead(checkedConsumer, "k")).toMatchObject({ state: "parked" });
  expect(await skipping).toMatchObject({ changed: 1 });
});

it("an act on one dead letter does not look at the others, and leaves their lanes held", async () => {
  const [position] = (await filled()) as [Position];
  const { writes, operate, log } = core.door("member");
  const count = 300;
  await log.append(Array.from({ length: count }, (_, n) => newRecord(`m${n}`, { partition: 0 })));
  const dead = Array.from({ length: count }, (_, n) =>
    unitOf(
      recordClaim(position, n),
      { entry: { ...newEntry(n, { state: "dead" }), lane: `lane${n}` } },
      { lane: `lane${n}` },
    ),
  );
  const entries = writes.commit(dead, []).map((outcome) => (outcome.type === "committed" ? (outcome.entry ?? 0) : 0));
  const reload = vi.spyOn(LaneTables.prototype, "reload");
  for (const entry of entries.slice(0, 10)) operate.skip([entry], act);
  expect(reload).not.toHaveBeenCalled();
  const held = (n: number) =>
    writes.commit([unitOf(recordClaim(position, count + 1), {}, { lane: `lane${n}` })], [])[0]?.type;
  expect(held(10)).toBe("held");
  operate.forget(checkedConsumer, act);
  expect(reload).toHaveBeenCalledTimes(1);
  reload.mockRestore();
});

it("what a member held that does not come back is taken after a lease, also when its number is another program's now", async () => {
  await filled();
  await core.close();
  const rung: Bell[] = [];
  const gone = `${process.pid}/gone`;
  const database = openDatabase(file);
  database.prepare("UPDATE mr_positions SET owner = ?").run(gone);
  database.close();
  core = openCore();
  core.bury("1/the-owner-before");
  core.onBell((bell, origin) => void (origin !== "member" && rung.push(bell)));
  const { writes } = core.door("member");
  expect(writes.acquire(registration)).toEqual([]);
  await clock.advance(14_000);
  expect(writes.leases(checkedConsumer).held).toEqual([]);
  expect(rung).toEqual([]);
  await clock.advance(2_000);
  expect(rung).toEqual([{ change: { leases: true } }]);
  expect(writes.leases(checkedConsumer).held.map(({ crashes }) => crashes)).toEqual([1, 1]);
});
