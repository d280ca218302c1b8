import { afterEach, describe, expect, it } from "vitest";
import { endTrials } from "../testing/trial.js";
import { inTime, on, played } from "../testing/trial-saga.js";
import { type Fate, type Fates, held, orders } from "../testing/trial-shop.js";

afterEach(endTrials);

const by = { actor: "ada", reason: "a test" };
const one = { saga: "fulfilment", key: "o-1" };
const stuck = (fates: Fates) => played({ fates });
const faring = (command: string, fate: Fate, fails: number, ...also: readonly Record<string, Fate>[]) =>
  on(command, fate, { to: fails, also: also[0] ?? {} });

describe("a command that dies", () => {
  it("tells its saga in the same commit, and the saga goes on when the dead letter is redriven", async () => {
    const { t, admin, status, runs } = await stuck(faring("reserve", "dies", 1));
    const { instance } = await admin.saga(one);
    expect(t.lines.filter(({ level }) => level === "error").map(({ message }) => message)).toContainEqual(
      "saga fulfilment o-1 is stuck at reserve: EVENT_REJECTED: never",
    );
    expect(instance).toMatchObject({ status: "stuck", current: ["reserve"] });
    const [letter] = (await admin.deadLetters({ limit: 10 })).entries;
    expect(instance.steps.find(({ name }) => name === "reserve")?.dead).toBe(letter?.event.id);
    await admin.redrive({ ...by, entries: [letter?.entry as number] });
    await t.rest();
    expect(await status()).toBe("completed");
    expect(runs()).toEqual(["pay", "reserve", "reserve", "ship"]);
  });

  it("fails its step when an operator skips the dead letter", async () => {
    const { t, admin, status, runs } = await stuck(faring("reserve", "dies", 9));
    const [letter] = (await admin.deadLetters({ limit: 10 })).entries;
    await admin.skip({ ...by, entries: [letter?.entry as number] });
    await t.rest();
    expect(await status()).toBe("aborted");
    expect(runs()).toEqual(["pay", "reserve", "refund"]);
    expect((await admin.saga(one)).instance.why).toContain("ada: a test");
    expect(await held(t)).toEqual([0, 0, 0]);
  });

  it("is given up for its compensation when an operator skips the dead letter of an undo", async () => {
    const { t, admin, status } = await stuck(faring("refund", "dies", 9, { reserve: "failed" }));
    const [letter] = (await admin.deadLetters({ limit: 10 })).entries;
    await admin.skip({ ...by, entries: [letter?.entry as number] });
    await t.rest();
    expect(await status()).toBe("aborted");
    expect(await held(t)).toEqual([100, 0, 0]);
  });

  it("dies again, and the saga stays stuck with what it says then", async () => {
    const { t, admin, status } = await stuck(faring("reserve", "dies", 9));
    const [letter] = (await admin.deadLetters({ limit: 10 })).entries;
    await admin.redrive({ ...by, entries: [letter?.entry as number] });
    await t.rest();
    expect(await status()).toBe("stuck");
    expect((await admin.saga(one)).instance.history.filter(({ type }) => type === "stuck")).toHaveLength(2);
  });
});

describe("an operator", () => {
  it("retries a dead step: its dead letter runs again, and no second command is sent", async () => {
    const { act, status, runs, admin } = await stuck(faring("reserve", "dies", 1));
    expect(await act("retry")).toMatchObject({ changed: 1, facts: ["redriven reserve"] });
    expect(await status()).toBe("completed");
    expect(runs()).toEqual(["pay", "reserve", "reserve", "ship"]);
    expect((await admin.search({ type: "reserve", limit: 10 })).events).toHaveLength(1);
    const { acts } = await admin.audit({ limit: 10 });
    expect(acts.map(({ act: what, actor, reason }) => [what, actor, reason])).toEqual([
      ["saga retry", "ada", "a test"],
      ["redrive", "ada", "a test"],
    ]);
  });

  it("retries a compensation that was refused", async () => {
    const { t, act, status, runs } = await stuck(faring("refund", "refused", 1, { reserve: "failed" }));
    expect(await status()).toBe("stuck");
    await act("retry");
    expect(await status()).toBe("aborted");
    expect(runs()).toEqual(["pay", "reserve", "refund", "refund"]);
    expect(await held(t)).toEqual([0, 0, 0]);
  });

  it("skips a stuck step: the saga goes on, and its dead letter holds nobody up", async () => {
    const { act, status, runs, admin } = await stuck(faring("reserve", "dies", 9));
    expect(await act("skip")).toMatchObject({ facts: ["skipped reserve", "sent ship"] });
    expect(await status()).toBe("completed");
    expect(runs()).toEqual(["pay", "reserve", "ship"]);
    expect((await admin.deadLetters({ limit: 10 })).entries).toEqual([]);
  });

  it("skips a compensation that cannot be done: what is before it is taken back", async () => {
    const { t, act, status } = await stuck(faring("release", "refused", 9, { ship: "failed" }));
    await act("skip", { step: "reserve" });
    expect(await status()).toBe("aborted");
    expect(await held(t)).toEqual([0, 100, 0]);
  });

  it("compensates a stuck saga", async () => {
    const { t, act, status } = await stuck(faring("ship", "dies", 9));
    await act("compensate");
    expect(await status()).toBe("aborted");
    expect(await held(t)).toEqual([0, 0, 0]);
  });

  it("forces an end: nothing more is sent, and what comes late is taken back", async () => {
    const { t, act, status, runs } = await stuck(faring("refund", "refused", 9, { ship: "failed" }));
    await act("force", { end: "aborted" });
    expect(await status()).toBe("aborted");
    expect(await held(t)).toEqual([100, 0, 0]);
    expect(runs()).toEqual(["pay", "reserve", "ship", "release", "refund"]);
  });

  it("changes nothing in a dry run, nor with an act that does not fit", async () => {
    const { act, status, admin } = await stuck(faring("reserve", "dies", 9));
    const before = (await admin.saga(one)).instance;
    expect(await act("compensate", { dryRun: true })).toMatchObject({
      changed: 0,
      facts: ["late reserve", "aborting", "undoing pay"],
    });
    for (const [verb, more] of [
      ["retry", { step: "pay" }],
      ["skip", { step: "nothing" }],
    ] as const)
      await expect(act(verb, more)).rejects.toMatchObject({ code: "CONFLICT" });
    await expect(admin.steerSaga({ ...by, saga: "fulfilment", key: "o-2", verb: "retry" })).rejects.toMatchObject({
      code: "NOT_FOUND",
    });
    await expect(admin.steerSaga({ ...by, ...one, reason: " ", verb: "retry" })).rejects.toMatchObject({
      code: "OPTION_INVALID",
    });
    expect((await admin.saga(one)).instance).toEqual(before);
    expect(await status()).toBe("stuck");
  });

  it("does it once, though the same act is sent twice, and not at all when the saga has gone on", async () => {
    const { t, admin, runs } = await stuck(faring("refund", "refused", 9, { reserve: "failed" }));
    const retry = () => admin.steerSaga({ ...by, ...one, verb: "retry" });
    const [first, again] = await Promise.allSettled([inTime(t, retry()), inTime(t, retry())]);
    await t.rest();
    expect([first?.status, again?.status]).toEqual(["fulfilled", "fulfilled"]);
    expect(runs().filter((run) => run === "refund")).toHaveLength(2);
  });

  it("lists those that are stuck first", async () => {
    const { t, admin } = await stuck((type, key) => (type === "pay" && key === "o-1" ? "dies" : "done"));
    await t.app.publish(orders.placed({ orderId: "o-0", pence: 1 }));
    await t.rest();
    const { sagas } = await admin.sagas({ limit: 10 });
    expect(sagas.map(({ key, status, current }) => [key, status, current])).toEqual([
      ["o-1", "stuck", ["pay"]],
      ["o-0", "completed", []],
    ]);
    expect((await admin.sagas({ limit: 10, status: "completed" })).sagas).toHaveLength(1);
  });
});
