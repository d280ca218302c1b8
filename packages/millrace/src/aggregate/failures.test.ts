import { afterEach, describe, expect, it } from "vitest";
import { accounts, bank, close, news } from "../app/trial-accounts.js";
import { embedded } from "../embedded/embedded.js";
import { sumOf } from "../log/block.js";
import { service } from "../service/declare.js";
import type { StreamQuery } from "../store/stream.js";
import { meddled } from "../testing/faulty-store.js";
import { endTrials, otherProgram, tempFolder, trial } from "../testing/trial.js";
import { account, died, opened, paid, pay } from "../testing/trial-account.js";

afterEach(endTrials);

describe("a decision that is none", () => {
  const wrong = (answer: unknown) => ({ decide: (() => answer) as never });
  it.each([
    ["nothing", undefined, /returned undefined/],
    ["a promise", Promise.resolve([]), /returned a promise/],
    ["one event instead of a list", accounts.closed({ account }), /returned one message, account.closed/],
    ["a message written by hand", [{ type: "account.closed", data: { account } }], /by calling their contract/],
    ["another topic's event", [news.overdue({ account, version: 1 })], /not an event of topic accounts/],
    ["another aggregate's event", [accounts.closed({ account: "a-2" })], /of a-2/],
  ])("is a dead letter: %s", async (_, answer, text) => {
    const t = await trial([bank(wrong(answer))]);
    await t.app.send(opened());
    await t.rest();
    const [entry] = await t.entries("bank");
    expect(entry).toMatchObject({ state: "dead", failure: { code: "DECISION_INVALID" } });
    expect(entry?.failure?.message).toMatch(text);
    expect((await t.running.engine.inspect.events({ topic: "accounts", limit: 9 })).events).toEqual([]);
  });

  it("is a dead letter when its event does not fit its contract, and its command can be mended and redriven", async () => {
    const t = await trial([
      bank({
        decide: ((asked: { data: { pence?: number } }) => [
          asked.data.pence === undefined
            ? accounts.opened({ account, owner: "ann" })
            : accounts.paidIn({ account, pence: asked.data.pence + (asked.data.pence === 1 ? 0.5 : 0), note: "" }),
        ]) as never,
      }),
    ]);
    await t.app.send(opened());
    const sent = await t.app.send(pay(1));
    await t.rest();
    expect(await died(t)).toEqual([["dead", "CONTRACT_REJECTED"]]);
    const act = { actor: "ann", reason: "because", at: 1 };
    const [{ entry }] = (await t.entries("bank")) as unknown as [{ entry: number }];
    for (const outcome of [
      await t.running.engine.operate.edit(
        {
          entry,
          id: "018bcfe5-6800-7000-8000-00000000000e",
          data: JSON.stringify({ account, pence: 2, note: "" }),
          version: 1,
        },
        act,
      ),
      await t.running.engine.operate.redrive([entry], act),
    ])
      await t.running.lanesChanged(outcome.lanes);
    await t.rest();
    expect(await paid(t)).toEqual([[2, 2]]);
    expect(await t.running.engine.store.readOperation(sent.id)).toMatchObject({ state: "committed" });
  });
});

describe("an evolve that fails", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("no such case");
      },
      /evolve threw no such case/,
    ],
    ["returns nothing", () => undefined, /returned undefined/],
    ["returns a promise", async () => ({}), /returned a promise/],
    [
      "changes the state it was given",
      (state: { pence: number }) => {
        state.pence = 1;
        return state;
      },
      /evolve threw .*read only/,
    ],
  ])("keeps the event from being stored, and is tried again: it %s", async (_, evolve, text) => {
    let broken = true;
    const t = await trial([
      bank({
        evolve: ((state: never, happened: { data: { owner?: string } }) =>
          broken ? evolve(state) : { owner: happened.data.owner ?? "ann", pence: 0, moves: 1 }) as never,
      }),
    ]);
    await t.app.send(opened());
    await t.until(async () => (await t.entries("bank")).length > 0);
    const [entry] = await t.entries("bank");
    expect(entry).toMatchObject({ state: "parked", failure: { code: "EVOLVE_FAILED" } });
    expect(entry?.failure?.message).toMatch(text);
    broken = false;
    await t.rest();
    expect((await t.running.engine.inspect.events({ topic: "accounts", limit: 9 })).events).toHaveLength(1);
  });
});

describe("a long stream", () => {
  it("is read a page at a time, once", async () => {
    const dir = tempFolder();
    const t = await trial([bank()], { dir });
    await t.app.send(opened());
    await t.rest();
    fill(dir, 10_000);
    const pages: StreamQuery[] = [];
    const engine = meddled(embedded(dir), (store) => ({
      readStream: (query) => {
        pages.push(query);
        return store.readStream(query);
      },
    }));
    const again = await t.again([bank()], { engine });
    const sent = await again.app.send(close({ account }));
    await again.rest();
    expect(await again.running.engine.store.readOperation(sent.id)).toMatchObject({ state: "committed" });
    expect(pages).toHaveLength(20);
    expect(new Set(pages.map(({ after }) => after)).size).toBe(20);
    const { events } = await again.running.engine.inspect.events({ type: "account.paid-out", limit: 9 });
    expect(events[0]).toMatchObject({ data: { pence: 9_999 }, headers: { sequence: 10_001 } });
  });
});

type Row = Parameters<typeof sumOf>[0] & { readonly pos: number };

/** Makes the stream so long, with events of one penny, as commits of 100 would have. */
function fill(dir: string, events: number): void {
  otherProgram(dir, (database) => {
    const { topic, offset } = database
      .prepare("SELECT topic, max(offset) AS offset FROM mr_streams JOIN mr_stream_events USING (stream)")
      .get() as { topic: number; offset: number };
    const block = database.prepare("INSERT INTO mr_log VALUES (?, ?, 0, ?, ?)");
    const place = database.prepare("INSERT INTO mr_stream_events VALUES (1, ?, ?)");
    database.exec("BEGIN");
    for (let sequence = 2; sequence <= events; sequence += 100) {
      const count = Math.min(100, events - sequence + 1);
      const lines = Array.from({ length: count }, (_, index) => {
        const id = `018bcfe5-6800-7000-8000-${String(sequence + index).padStart(12, "0")}`;
        const headers = JSON.stringify({ sequence: sequence + index });
        return `["${id}",0,"account.paid-in",1,"bank","${account}",0,0,0,1,${headers},{"account":"${account}","pence":1,"note":""}]`;
      });
      const body = `[${lines.join(",\n")}]`;
      block.run(topic * 2 ** 38 + offset + sequence - 1, count, body, sumOf({ count, appended: 0, body }));
      for (let index = 0; index < count; index += 1) place.run(sequence + index, offset + sequence - 1 + index);
    }
    database.exec("COMMIT");
  });
}

it("decides nothing on an event that only a newer program knows", async () => {
  const dir = tempFolder();
  const t = await trial([bank()], { dir });
  await t.app.send(opened());
  await t.rest();
  await t.stop();
  otherProgram(dir, (database) => {
    const body = `replace(body, '"account.opened",1', '"account.opened",2')`;
    const rows = database.prepare(`SELECT pos, count, appended, ${body} AS body FROM mr_log`).all() as unknown as Row[];
    const newer = database.prepare("UPDATE mr_log SET body = ?, sum = ? WHERE pos = ?");
    for (const row of rows) newer.run(row.body, sumOf(row), row.pos);
  });
  const again = await trial([bank()], { dir, clock: t.clock });
  await again.app.send(pay(1));
  await again.until(async () => (await again.entries("bank")).length > 0);
  expect(await died(again)).toEqual([["parked", "CONTRACT_NEWER"]]);
});

it("hears of its own service's events, like any other consumer", async () => {
  const heard: string[] = [];
  const t = await trial([bank(), service("x").on(news.overdue, ({ key }) => void heard.push(key))]);
  await t.app.send(opened());
  await t.rest();
  expect(heard).toEqual([]);
});
