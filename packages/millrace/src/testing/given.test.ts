import { describe, expect, it } from "vitest";
import { account, accounts, accountWith, close, news, open, payIn, payOut, payTwice } from "../app/trial-accounts.js";
import { given } from "./given.js";

const key = "a-1";
const opened = accounts.opened({ account: key, owner: "ann" });
const paidIn = (pence: number) => accounts.paidIn({ account: key, pence, note: "" });
const pay = (pence: number) => payOut({ account: key, pence, note: "" });
/** Another number each time. */
function counter(): () => number {
  let n = 0;
  return () => {
    n += 1;
    return n;
  };
}
/** What the test's author is told. */
function told(test: () => unknown): string {
  try {
    test();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the test under test passes");
}

describe("given an aggregate's events, when it is asked", () => {
  it("then passes with the events it decides on, or its refusal, and tells what they come to", () => {
    const { state, derived } = given(account, [opened, paidIn(5)])
      .when(pay(5))
      .then([accounts.paidOut({ account: key, pence: 5, note: "" })]);
    expect(state).toEqual({ owner: "ann", pence: 0, moves: 3 });
    expect(derived.map(({ type, data }) => [type, data])).toEqual([["account.emptied", { account: key, version: 3 }]]);
    given(account, [opened, paidIn(5)])
      .when(pay(6))
      .then({ refused: "NOT_ENOUGH" });
    given(account, [opened, paidIn(5)])
      .when(pay(6))
      .then({ refused: "NOT_ENOUGH", detail: "5 left" });
    given(account, [opened])
      .when(payIn({ account: key, pence: 0, note: "" }))
      .then([]);
    expect(given(account, [opened, paidIn(5)]).state).toEqual({ owner: "ann", pence: 5, moves: 2 });
  });

  it("then fails with the events line by line, and the values that differ", () => {
    const asked = () => given(account, [opened]).when(payTwice({ account: key, pence: 5, note: "x" }));
    const first = accounts.paidIn({ account: key, pence: 5, note: "x" });
    expect(told(() => asked().then([first, accounts.paidIn({ account: key, pence: 6, note: "x" })]))).toBe(
      [
        'pay-twice {"account":"a-1","pence":5,"note":"x"}: decided other events (- expected, + decided)',
        '    account.paid-in {"account":"a-1","pence":5,"note":"x"}',
        '  - account.paid-in {"account":"a-1","pence":6,"note":"x"}',
        '  + account.paid-in {"account":"a-1","pence":5,"note":"x"}',
        "      pence: 6 was expected, it is 5",
      ].join("\n"),
    );
    expect(told(() => asked().then([first]))).toMatch(/\n {2}\+ account.paid-in/);
    expect(told(() => asked().then([first, first, accounts.closed({ account: key })]))).toMatch(
      /\n {2}- account.closed/,
    );
    expect(told(() => asked().then({ refused: "NO" }))).toMatch(
      /expected was the refusal {"refused":"NO"}, decided were/,
    );
  });

  it("then fails with what it refused", () => {
    const asked = () => given(account, [opened]).when(pay(1));
    expect(told(() => asked().then([accounts.closed({ account: key })]))).toMatch(
      /refused with .*NOT_ENOUGH.*\n {2}account.closed/,
    );
    expect(told(() => asked().then({ refused: "OTHER" }))).toMatch(/- {"refused":"OTHER"}\n {2}\+ .*NOT_ENOUGH/);
    expect(told(() => asked().then({ refused: "NOT_ENOUGH", detail: "1 left" }))).toMatch(/0 left/);
  });

  it("lets decide see the time and the actor of the command", () => {
    const byActor = accountWith({
      decide: ({ actor, time }) => (actor === undefined ? [] : { refused: actor, detail: time.toISOString() }),
    });
    given(byActor, []).when(pay(1)).then([]);
    const time = new Date(0);
    given(byActor, []).when(pay(1), { actor: "ann", time }).then({ refused: "ann", detail: time.toISOString() });
  });

  it.each([
    [
      "events of another topic",
      () => given(account, [news.overdue({ account: key, version: 1 })]),
      /account.emptied is not one of aggregate accounts; it has account.opened/,
    ],
    ["events of two keys", () => given(account, [opened, accounts.closed({ account: "b" })]), /of b and events of a-1/],
    ["a command to another one", () => given(account, [opened]).when(close({ account: "b" })), /asks b, .* of a-1/],
    ["data that does not fit", () => given(account, [paidIn(0.5)]), /account.paid-in v1: \/pence/],
    [
      "a decide that is not pure",
      () => {
        const next = counter();
        return given(
          accountWith({ decide: () => [accounts.paidIn({ account: key, pence: next(), note: "" })] }),
          [],
        ).when(pay(1));
      },
      /decide is not pure.*pence: 1 was expected, it is 2/s,
    ],
    [
      "an evolve that is not pure",
      () => {
        const next = counter();
        return given(accountWith({ evolve: (state) => ({ ...state, pence: next() }) }), [opened]);
      },
      /evolve is not pure.*pence: 1/s,
    ],
    [
      "an evolve that changes its state",
      () => given(accountWith({ evolve: (state) => Object.assign(state, { pence: 1 }) }), [opened]),
      /evolve threw .*read only/,
    ],
    [
      "a state that no snapshot holds",
      () => given(accountWith({ snapshotEvery: 10, evolve: (state) => ({ ...state, at: new Date(0) }) }), [opened]),
      /no snapshot can hold/,
    ],
    [
      "events of another aggregate",
      () =>
        given(accountWith({ decide: () => [accounts.closed({ account: "b" })] }), []).when(
          open({ account: key, owner: "ann" }),
        ),
      /account.closed of b, asked about a-1/,
    ],
  ])("says what is wrong with %s", (_, test, text) => {
    expect(told(test)).toMatch(text);
  });

  it("tells whoever awaits it that there is nothing to await", async () => {
    const asked = given(account, [opened]).when(pay(1)) as unknown as Promise<unknown>;
    await expect((async () => asked)()).rejects.toThrow(/nothing to await/);
  });
});
