import { afterEach, describe, expect, it } from "vitest";
import { bank, open, payIn, payOut } from "../app/trial-accounts.js";
import { embedded } from "../embedded/embedded.js";
import type { StreamQuery } from "../store/stream.js";
import { meddled } from "../testing/faulty-store.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";
import { States } from "./states.js";

afterEach(endTrials);

const account = "a-1";
const pay = (pence: number) => payIn({ account, pence, note: "" });

/** An engine that notes what is read of streams. */
function watched(dir: string) {
  const pages: Pick<StreamQuery, "after">[] = [];
  const engine = meddled(embedded(dir), (store) => ({
    readStream: ({ after, ...query }) => {
      pages.push({ after });
      return store.readStream({ after, ...query });
    },
  }));
  return { engine, pages };
}

/** A bank that has handled 25 commands, and was stopped. */
async function after25(dir: string, options: Parameters<typeof bank>[0]): Promise<Trial> {
  const t = await trial([bank(options)], { dir });
  await t.app.send(open({ account, owner: "ann" }));
  for (let pence = 1; pence < 25; pence += 1) await t.app.send(pay(pence));
  await t.rest();
  return t;
}

/** Tells what is left of the money, from a fresh process, and after which event it had to read. */
async function asked(t: Trial, dir: string, options: Parameters<typeof bank>[0]) {
  const { engine, pages } = watched(dir);
  const again = await t.again([bank(options)], { engine });
  const sent = await again.app.send(payOut({ account, pence: 1_000, note: "" }));
  await again.rest();
  const { detail } = (await again.running.engine.store.readOperation(sent.id)) ?? {};
  return { again, detail, from: pages[0]?.after };
}
const snapshots = (dir: string) =>
  otherProgram(dir, (database) => database.prepare("SELECT version, fold, state FROM mr_snapshots").all());

describe("snapshots", () => {
  it("are made after so many events, and read instead of the events before", async () => {
    const dir = tempFolder();
    const t = await after25(dir, { snapshotEvery: 10 });
    expect(snapshots(dir)).toMatchObject([{ version: 20, fold: 1 }]);
    expect(await asked(t, dir, { snapshotEvery: 10 })).toMatchObject({ detail: "300 left", from: 20 });
  });

  it("are not made unless asked for", async () => {
    const dir = tempFolder();
    const t = await after25(dir, {});
    expect(snapshots(dir)).toEqual([]);
    expect(await asked(t, dir, {})).toMatchObject({ detail: "300 left", from: 0 });
  });

  it("can be deleted: nothing changes but what has to be read", async () => {
    const dir = tempFolder();
    const t = await after25(dir, { snapshotEvery: 10 });
    otherProgram(dir, (database) => database.exec("DELETE FROM mr_snapshots"));
    const { again, ...first } = await asked(t, dir, { snapshotEvery: 10 });
    expect(first).toEqual({ detail: "300 left", from: 0 });
    // The next one is made where it would have been.
    for (let n = 0; n < 5; n += 1) await again.app.send(pay(1));
    await again.rest();
    expect(snapshots(dir)).toMatchObject([{ version: 30 }]);
  });

  it("of another version of evolve are not read, and make room for those of this one", async () => {
    const dir = tempFolder();
    const t = await after25(dir, { snapshotEvery: 10 });
    otherProgram(dir, (database) =>
      database.exec(`UPDATE mr_snapshots SET state = '{"owner":"ann","pence":1,"moves":20}'`),
    );
    // To see that it would be read: what is in it has been falsified.
    const first = await asked(t, dir, { snapshotEvery: 10 });
    expect(first.detail).toBe(`${1 + 20 + 21 + 22 + 23 + 24} left`);
    const second = await asked(first.again, dir, { snapshotEvery: 10, version: 2 });
    expect(second).toMatchObject({ detail: "300 left", from: 0 });
    for (let n = 0; n < 5; n += 1) await second.again.app.send(pay(1));
    await second.again.rest();
    expect(snapshots(dir)).toMatchObject([{ version: 30, fold: 2 }]);
  });

  it("are not made of a state that JSON would change, and it is said once", async () => {
    const dir = tempFolder();
    const evolve = () => ({ owner: "ann", pence: 0, moves: 0, at: new Date(0) });
    const t = await after25(dir, { snapshotEvery: 5, evolve });
    expect(snapshots(dir)).toEqual([]);
    expect(t.lines.filter(({ message }) => /has no snapshots/.test(message))).toHaveLength(1);
  });
});

describe("a state that was used lately", () => {
  it("is not read again: neither after a success, nor after a refusal", async () => {
    const dir = tempFolder();
    const { engine, pages } = watched(dir);
    const t = await trial([bank()], { engine });
    await t.app.send(open({ account, owner: "ann" }));
    await t.rest();
    for (const message of [pay(1), payOut({ account, pence: 5, note: "" }), pay(2), pay(3)]) {
      await t.app.send(message);
      await t.rest();
    }
    expect(pages).toEqual([{ after: 0 }]);
  });

  it("is forgotten when others need the room", () => {
    const states = States.of({} as never);
    const text = "x".repeat(1024 * 1024);
    for (let n = 0; n < 40; n += 1) {
      states.keep(`a${n}`, { state: text, version: 1 }, true);
      expect(states.get("a0")).toBeDefined();
    }
    const kept = Array.from({ length: 40 }, (_, n) => states.get(`a${n}`)).filter((state) => state !== undefined);
    expect(kept.length).toBeLessThan(26);
    expect(states.get("a39")).toMatchObject({ version: 1, sure: true });
  });
});
