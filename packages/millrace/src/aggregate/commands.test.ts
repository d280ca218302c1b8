import { afterEach, describe, expect, it } from "vitest";
import { accounts, bank, close, news, open, payIn, payOut, payTwice } from "../app/trial-accounts.js";
import { service } from "../service/declare.js";
import { endTrials, type Trial, tempFolder, trial } from "../testing/trial.js";
import { isOnServers } from "../testing/trial-servers.js";

afterEach(endTrials);
const onServers = isOnServers();

const eventsOf = async (t: Trial, topic: string) =>
  (await t.running.engine.inspect.events({ topic, limit: 1_000 })).events.map(({ type, key, headers }) => ({
    type,
    key,
    sequence: headers?.sequence,
  }));

/** Sends a command and lets time pass until it is handled. */
async function done(t: Trial, message: Parameters<Trial["app"]["send"]>[0], options = {}) {
  const sent = t.app.send(message, { waitFor: "handled", ...options });
  let settled = false;
  const tell = () => {
    settled = true;
  };
  sent.then(tell, tell);
  await t.until(() => settled);
  return sent;
}
const account = "a-1";

describe("an aggregate", () => {
  it("decides a command on the state that its events come to, and numbers what it appends", async () => {
    const t = await trial([bank()]);
    expect(await done(t, payIn({ account, pence: 5, note: "" }))).toMatchObject({
      state: "refused",
      refused: "NO_ACCOUNT",
    });
    expect(await done(t, open({ account, owner: "ann" }))).toMatchObject({ state: "committed" });
    await done(t, payTwice({ account, pence: 5, note: "" }));
    expect(await done(t, payOut({ account, pence: 11, note: "" }))).toMatchObject({
      state: "refused",
      refused: "NOT_ENOUGH",
      detail: "10 left",
    });
    await done(t, payIn({ account, pence: 0, note: "" }));
    await done(t, close({ account }));
    await t.rest();
    expect(await eventsOf(t, "accounts")).toEqual(
      ["account.opened", "account.paid-in", "account.paid-in", "account.paid-out", "account.closed"].map(
        (type, index) => ({
          type,
          key: account,
          sequence: index + 1,
        }),
      ),
    );
    expect(await done(t, open({ account, owner: "bob" }))).toMatchObject({ state: "committed" });
  });

  it("shows handlers the sequence of its events, and publishes what it derives from them in the same commit", async () => {
    const heard: (readonly [string, number | undefined])[] = [];
    const note = ({ type, sequence }: { type: string; sequence?: number }) => void heard.push([type, sequence]);
    const own = bank().on(accounts.opened, note).on(accounts.paidOut, note);
    const t = await trial([own, service("mailer").on(news.overdue, note)]);
    await t.app.send(open({ account, owner: "ann" }));
    await t.app.send(payIn({ account, pence: 7, note: "" }));
    await t.app.send(payOut({ account, pence: 7, note: "" }));
    await t.rest();
    // Between topics there is no order.
    expect(heard.filter(([type]) => type !== "account.emptied")).toEqual([
      ["account.opened", 1],
      ["account.paid-out", 3],
    ]);
    expect(heard).toContainEqual(["account.emptied", undefined]);
    const { events } = await t.running.engine.inspect.events({ limit: 100 });
    const [emptied] = events.filter(({ topic }) => topic === "account-news");
    expect(emptied).toMatchObject({ source: "bank", data: { account, version: 3 } });
    // Where the log is elsewhere, what one commit has left for it comes there one after the other.
    if (!onServers) expect(events.find(({ type }) => type === "account.paid-out")?.appended).toBe(emptied?.appended);
  });

  it("takes commands from handlers, once each", async () => {
    const t = await trial([
      bank(),
      service("interest").on(news.overdue, { emits: [payIn] }, ({ key }, ctx) =>
        ctx.send(payIn({ account: key, pence: 1, note: "interest" })),
      ),
    ]);
    await t.app.send(open({ account, owner: "ann" }));
    await t.app.send(payOut({ account, pence: 0, note: "" }));
    await t.rest();
    expect((await eventsOf(t, "accounts")).map(({ type }) => type)).toEqual([
      "account.opened",
      "account.paid-out",
      "account.paid-in",
    ]);
  });

  it("does a command once, however often it is sent under its id or key", async () => {
    const t = await trial([bank()]);
    await done(t, open({ account, owner: "ann" }));
    for (const _ of [1, 2, 3]) await done(t, payIn({ account, pence: 5, note: "" }), { id: "mine" });
    for (const _ of [1, 2, 3])
      await done(t, payIn({ account, pence: 5, note: "" }), { idempotency: { scope: "s", key: "k" } });
    await t.rest();
    expect(await eventsOf(t, "accounts")).toHaveLength(3);
  });

  it("keeps aggregates apart, and all events of many commands at once", async () => {
    const t = await trial([bank()]);
    const keys = ["a", "b", "c"];
    for (const key of keys) await t.app.send(open({ account: key, owner: key }));
    const sent = Array.from({ length: 150 }, (_, n) =>
      t.app.send(payIn({ account: keys[n % 3] as string, pence: n, note: "" })),
    );
    await Promise.all(sent);
    await t.rest();
    for (const key of keys) {
      const sequences = (await eventsOf(t, "accounts"))
        .filter((one) => one.key === key)
        .map(({ sequence }) => sequence);
      expect(sequences).toEqual(Array.from({ length: key === "a" ? 50 : 51 }, (_, n) => n + 1));
    }
  });

  it("goes on after a restart where it was", async () => {
    const dir = tempFolder();
    const t = await trial([bank()], { dir });
    await done(t, open({ account, owner: "ann" }));
    await done(t, payIn({ account, pence: 9, note: "" }));
    const again = await t.again([bank()]);
    expect(await done(again, payOut({ account, pence: 10, note: "" }))).toMatchObject({ detail: "9 left" });
    await done(again, payOut({ account, pence: 4, note: "" }));
    await again.rest();
    expect((await eventsOf(again, "accounts")).map(({ sequence }) => sequence)).toEqual([1, 2, 3]);
  });
});
