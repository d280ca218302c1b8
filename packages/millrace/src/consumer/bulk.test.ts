import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { embedded } from "../embedded/embedded.js";
import type { Engine } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import { projection } from "../projection/projection.js";
import { sqlProjection } from "../projection/sql.js";
import { service } from "../service/declare.js";
import { rerunning } from "../testing/disturbed.js";
import { faulty } from "../testing/faulty-store.js";
import { endTrials, otherProgram, type Trial, tempFolder, trial } from "../testing/trial.js";
import { remote } from "../testing/trial-remote.js";

afterEach(endTrials);

const Step = z.object({ id: z.string(), n: z.int() });
const steps = topic("steps", {
  key: "id",
  partitions: 4,
  events: { taken: event("step.taken", Step), noted: event("step.noted", Step) },
});
const other = topic("others", { key: "id", partitions: 2, events: { taken: event("other.taken", Step) } });
const owner = service("owner").owns(steps, other);
const Row = z.object({ numbers: z.array(z.int()) });

/** Each row holds the numbers of its key, in the order in which they were folded. */
const numbers = (unlucky: (n: number) => boolean = () => false) =>
  projection("numbers", { version: 1, row: Row }).on(steps.taken, (row, { data: { n } }) => {
    if (unlucky(n)) throw new Failure("EVENT_REJECTED", `${n} is unlucky`);
    return { numbers: [...(row?.numbers ?? []), n] };
  });

const keys = 30;
const total = 4_000;
const idOf = (n: number) => `k-${n % keys}`;

/** A backlog that nobody has heard: the next program begins with all of it. */
async function backlog(publish: (t: Trial, n: number) => Promise<unknown> = published): Promise<Trial> {
  const t = await trial([owner], { dir: tempFolder() });
  for (let n = 0; n < total; n += 400) await publish(t, n);
  return t;
}

const published = (t: Trial, from: number) =>
  t.app.publish(Array.from({ length: 400 }, (_, n) => steps.taken({ id: idOf(from + n), n: from + n })));

/** The commits that wrote rows of a type. */
const commitsOf = (dir: string, type: string) =>
  otherProgram(dir, (database) =>
    database
      .prepare(
        "SELECT count(*) AS n FROM mr_document_changes AS c JOIN mr_document_types AS t ON t.type = c.type WHERE t.name = ?",
      )
      .get(type),
  ) as { n: number };

async function rowsOf(t: Trial, view: ReturnType<typeof numbers>): Promise<Record<string, readonly number[]>> {
  const { rows, ids } = await t.app.projection(view).find({}, { limit: 1_000 });
  return Object.fromEntries(ids.map((id, at) => [id, rows[at]?.numbers ?? []]));
}

const expected = (lost: (n: number) => boolean = () => false) => {
  const rows: Record<string, number[]> = {};
  for (let n = 0; n < total; n += 1) {
    if (lost(n)) continue;
    rows[idOf(n)] ??= [];
    rows[idOf(n)]?.push(n);
  }
  return rows;
};

describe("a backlog of a view", () => {
  it("is folded in a few commits, each row written once in each, every key in order", async () => {
    const view = numbers();
    const first = await backlog();
    const dir = tempFolder();
    await first.running.engine.backup(`${dir}/millrace.db`);
    const t = await trial([owner, service("views").owns(view)], { dir });
    await t.rest();
    expect(await rowsOf(t, view)).toEqual(expected());
    await t.stop();
    expect(commitsOf(dir, "numbers@1").n).toBeLessThan(6);
  });

  it("with events that fail in it: these are dead letters, their keys wait behind them, all others are folded once", async () => {
    // 5 keys have one each, in the first half; what follows for the key is held.
    const unlucky = (n: number) => n % 211 === 7 && n < 1_000;
    const view = numbers(unlucky);
    const t = await (await backlog()).again([owner, service("views").owns(view)]);
    await t.rest();
    const held = new Map<string, number>();
    for (let n = 0; n < total; n += 1) if (unlucky(n) && !held.has(idOf(n))) held.set(idOf(n), n);
    const lost = (n: number) => n >= (held.get(idOf(n)) ?? Number.POSITIVE_INFINITY);
    expect(await rowsOf(t, view)).toEqual(expected(lost));
    const entries = await t.entries("views.numbers@1");
    expect(entries.filter(({ state }) => state === "dead")).toHaveLength(held.size);
    expect(entries).toHaveLength(Array.from({ length: total }, (_, n) => n).filter(lost).length);
    const order = entries.map(({ record }) => (record.data as { n: number }).n);
    for (const id of held.keys())
      expect(order.filter((n) => idOf(n) === id)).toEqual(
        [...order.filter((n) => idOf(n) === id)].sort((a, b) => a - b),
      );
  });

  it("that another topic feeds too, with a key of one held by the other, keeps each topic's order", async () => {
    const view = projection("numbers", { version: 1, row: Row, commutative: true })
      .on(steps.taken, (row, { data: { n } }) => ({ numbers: [...(row?.numbers ?? []), n] }))
      .on(other.taken, (row, { data: { n } }) => {
        if (n === -5) throw new Failure("EVENT_REJECTED", "unlucky");
        return { numbers: [...(row?.numbers ?? []), n] };
      });
    const both = await backlog(async (t, from) => {
      await published(t, from);
      if (from === 800)
        await t.app.publish(Array.from({ length: keys }, (_, n) => other.taken({ id: idOf(n), n: -n })));
    });
    const t = await both.again([owner, service("views").owns(view)]);
    await t.rest();
    const rows = await rowsOf(t, view as never);
    for (const [id, found] of Object.entries(rows)) {
      const ours = found.filter((n) => n > 0);
      expect(ours).toEqual([...ours].sort((a, b) => a - b));
      const of = Array.from({ length: total }, (_, n) => n).filter((n) => n > 0 && idOf(n) === id);
      if (id !== "k-5") expect(ours).toEqual(of);
    }
    const [dead, ...followers] = await t.entries("views.numbers@1");
    expect(dead).toMatchObject({ state: "dead", lane: "id:k-5" });
    expect(new Set(followers.map(({ lane }) => lane))).toEqual(new Set(["id:k-5"]));
    const waiting = followers.map(({ record }) => (record.data as { n: number }).n);
    expect([...(rows["k-5"] ?? []), ...waiting]).toEqual(expected()["k-5"]);
  });

  it("is folded to its end when a statement is refused: who is to blame is a dead letter, alone", async () => {
    const view = sqlProjection("table", {
      version: 1,
      tables: { steps: "(n INTEGER PRIMARY KEY CHECK (n <> 777))" },
    }).on(steps.taken, ({ data }, { sql, tables }) => sql`INSERT INTO ${tables.steps} VALUES (${data.n})`);
    const t = await (await backlog()).again([owner, service("views").owns(view)]);
    await t.rest();
    const [{ n }] = (await t.app.query`SELECT count(*) AS n FROM ${view.tables.steps}`) as unknown as [{ n: number }];
    const entries = await t.entries();
    expect(
      entries.map(({ record, state, failure }) => [(record.data as { n: number }).n, state, failure?.code]),
    ).toEqual(
      Array.from({ length: total }, (_, at) => at)
        .filter((at) => at >= 777 && idOf(at) === idOf(777))
        .map((at) => [at, at === 777 ? "dead" : "following", at === 777 ? "STATEMENT_FAILED" : undefined]),
    );
    expect(n).toBe(total - entries.length);
  });
});

describe("what a unit of many events comes to is stored once", () => {
  const Count = z.object({ count: z.int() });
  const counting = () =>
    projection("count", { version: 1, row: Count, commutative: true }).on(steps.taken, { key: () => "all" }, (row) => ({
      count: (row?.count ?? 0) + 1,
    }));

  it.each([
    ["is thrown away, as what it had read has changed", rerunning],
    ["is stored, and the answer is lost", losing],
    ["is refused before it is stored", refusing],
  ])("though each %s", async (_, disturb) => {
    const [all, each] = [counting(), numbers()];
    const before = await backlog();
    const services = [owner, service("views").owns(all, each)];
    const dir = tempFolder();
    await before.running.engine.backup(`${dir}/millrace.db`);
    const t = await trial(services, { dir, engine: disturb(embedded(dir)) });
    await t.rest();
    expect(await t.app.projection(all).get("all")).toEqual({ count: total });
    expect(await rowsOf(t, each)).toEqual(expected());
    expect(await t.entries()).toEqual([]);
  });
});

describe("beside others of its process", () => {
  const counted = (name: string) =>
    projection(name, { version: 1, row: z.object({ count: z.int() }), commutative: true }).on(
      steps.taken,
      { key: ({ data }) => data.id },
      (row) => ({ count: (row?.count ?? 0) + 1 }),
    );
  const busy = service("busy").on(other.taken, () => undefined);

  /** How many virtual milliseconds it takes the views to fold everything while others commit all the time. */
  async function passing(t: Trial, views: readonly ReturnType<typeof counted>[], events: number): Promise<number> {
    const done = async (view: ReturnType<typeof counted>) => {
      const { rows } = await t.app.projection(view).find({}, { limit: 1_000 });
      return rows.reduce((sum, { count }) => sum + count, 0) === events;
    };
    for (let ms = 0; ; ms += 1) {
      if ((await Promise.all(views.map(done))).every(Boolean)) return ms;
      await t.app.publish(other.taken({ id: "o", n: ms }));
      await t.clock.advance(1);
    }
  }

  it("a backlog rests after each piece, and another backlog beside it hardly holds it up", async () => {
    const [one, two] = [counted("one"), counted("two")];
    const before = await backlog();
    const [dir, copy] = [tempFolder(), tempFolder()];
    await before.running.engine.backup(`${dir}/millrace.db`);
    await before.running.engine.backup(`${copy}/millrace.db`);
    const single = await trial([owner, busy, service("views").owns(one)], { dir });
    const alone = await passing(single, [one], total);
    const both = await trial([owner, busy, service("views").owns(one, two)], { dir: copy });
    const together = await passing(both, [one, two], total);
    expect(alone).toBeGreaterThan(total / 100);
    expect(together).toBeLessThan(1.5 * alone);
  });

  it("a backlog does not wait for itself where the store answers later, and more comes at a time than a piece is", async () => {
    const passingIn = async (atOnce: number) => {
      const view = counted("one");
      const t = await trial([owner, busy, service("views").owns(view)], { engine: remote() });
      await t.rest();
      const { operate } = t.running.engine;
      const act = { actor: "ann", reason: "a test", at: 0 };
      await operate.pause("views.one@1", act);
      await t.running.changed({ pauses: true });
      for (let n = 0; n < 960; n += atOnce)
        await t.app.publish(Array.from({ length: atOnce }, (_, k) => steps.taken({ id: `k-${n + k}`, n })));
      await t.clock.advance(6_000);
      await operate.resume("views.one@1", act);
      await t.running.changed({ pauses: true });
      return await passing(t, [view], 960);
    };
    expect(await passingIn(96)).toBeLessThan(1.5 * (await passingIn(64)));
  });

  it("what comes as it is published is folded at once, also when it is many pieces", async () => {
    const view = counted("one");
    const t = await trial([owner, busy, service("views").owns(view)]);
    await t.app.publish([steps.taken({ id: idOf(0), n: 0 }), other.taken({ id: "o", n: 0 })]);
    await t.rest();
    await published(t, 0);
    for (let turn = 0; turn < 50; turn += 1) await t.clock.advance(0);
    expect(await passing(t, [view], 401)).toBe(0);
  });
});

/** Every unit's first answer does not arrive. */
function losing(engine: Engine): Engine {
  const sent = new Set<unknown>();
  return faulty(engine, {
    after(units) {
      const fresh = units.filter((unit) => !sent.has(unit));
      for (const unit of fresh) sent.add(unit);
      if (fresh.length > 0) throw new Failure("STORE_UNAVAILABLE", "the connection broke before the answer came");
    },
  });
}

/** Every second commit is refused. */
function refusing(engine: Engine): Engine {
  let commits = 0;
  return faulty(engine, {
    before() {
      commits += 1;
      if (commits % 2 === 1) throw new Failure("STORE_UNAVAILABLE", "the connection broke");
    },
  });
}
