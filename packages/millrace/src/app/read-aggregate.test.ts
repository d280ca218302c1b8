import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { LogRecord } from "../log/log.js";
import { endTrials, type Trial, trial } from "../testing/trial.js";
import { account, accountWith, bank, close, open, payIn, payOut } from "./trial-accounts.js";

afterEach(endTrials);

const id = "a-1";
let t: Trial;
let events: readonly LogRecord[];
/** Opened, 10 in, 3 out, closed (7 out), a minute between each. */
beforeEach(async () => {
  t = await trial([bank()]);
  const commands = [
    open({ account: id, owner: "ann" }),
    payIn({ account: id, pence: 10, note: "" }),
    payOut({ account: id, pence: 3, note: "" }),
    close({ account: id }),
  ];
  for (const command of commands) {
    await t.app.send(command, { actor: "bob" });
    await t.rest();
    await t.clock.advance(60_000);
  }
  ({ events } = await t.running.engine.inspect.events({ topic: "accounts", limit: 99 }));
});
const at = (sequence: number) => events[sequence - 1] as LogRecord;
const reading = () => t.app.aggregate(account);
const states = [
  { owner: null, pence: 0, moves: 0 },
  { owner: "ann", pence: 0, moves: 1 },
  { owner: "ann", pence: 10, moves: 2 },
  { owner: "ann", pence: 7, moves: 3 },
  { owner: "ann", pence: 0, moves: 4 },
  { owner: null, pence: 0, moves: 5 },
];

describe("an aggregate read from outside", () => {
  it("is as its events have made it, also one that has none", async () => {
    expect(await reading().get(id)).toEqual({ state: states[5], version: 5, time: new Date(at(5).appended) });
    expect(await reading().get("nobody")).toEqual({ state: states[0], version: 0 });
  });

  it("is as it was at every version, at every time, and before every event", async () => {
    for (const [version, state] of states.entries()) {
      expect(await reading().get(id, { version })).toMatchObject({ state, version });
      if (version === 0) continue;
      const { appended, id: before } = at(version);
      expect((await reading().get(id, { time: new Date(appended - 1) })).state).toEqual(
        version === 5 ? states[3] : states[version - 1],
      );
      expect((await reading().get(id, { before })).version).toBe(version - 1);
    }
    expect((await reading().get(id, { time: new Date(at(3).appended) })).version).toBe(3);
    expect((await reading().get(id, { time: new Date(at(5).appended + 1e9) })).version).toBe(5);
    expect(await reading().get(id, { time: new Date(0) })).toEqual({ state: states[0], version: 0 });
  });

  it.each([
    ["a version it has not come to", { version: 6 }, "NOT_FOUND", /has 5 events, there is no version 6/],
    ["an event it does not have", { before: "other" }, "NOT_FOUND", /no event other/],
    ["a version that is none", { version: -1 }, "OPTION_INVALID", /a moment is/],
    ["a time that is none", { time: new Date(Number.NaN) }, "OPTION_INVALID", /a moment is/],
    ["nothing", {} as { version: number }, "OPTION_INVALID", /a moment is/],
  ])("is not there at %s", async (_, moment, code, message) => {
    await expect(reading().get(id, moment)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(reading().blame(id, "pence", moment)).rejects.toMatchObject({ code });
  });

  it("tells what differs between two moments", async () => {
    expect(await reading().diff(id, { version: 1 }, { before: at(3).id })).toEqual([
      { path: "pence", from: 0, to: 10 },
      { path: "moves", from: 1, to: 2 },
    ]);
    expect(await reading().diff(id, { version: 4 })).toEqual([
      { path: "owner", from: "ann", to: null },
      { path: "moves", from: 4, to: 5 },
    ]);
    expect(await reading().diff(id, { version: 5 }, { time: new Date(at(5).appended) })).toEqual([]);
  });

  it("tells which event last set a value, and who asked for it", async () => {
    expect(await reading().blame(id, "pence")).toMatchObject({
      path: "pence",
      from: 7,
      to: 0,
      event: { type: "account.paid-out", sequence: 4, actor: "bob", id: at(4).id, causationId: at(4).causationId },
    });
    expect(await reading().blame(id, "pence", { version: 3 })).toMatchObject({
      from: 10,
      to: 7,
      event: { sequence: 3 },
    });
    expect(await reading().blame(id, "owner", { before: at(2).id })).toMatchObject({ event: { sequence: 1 } });
    expect(await reading().blame(id, "colour")).toBeUndefined();
    expect(await reading().blame("nobody", "pence")).toBeUndefined();
  });

  it("is only read where a service of the app owns it", () => {
    expect(() => t.app.aggregate(accountWith())).toThrow(/owned by no service of this app/);
    expect(() => t.app.aggregate({} as typeof account)).toThrow(/not made by aggregate/);
  });
});
