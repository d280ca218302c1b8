import { z } from "zod";
import { type AggregateOptions, aggregate } from "../aggregate/aggregate.js";
import type { ReceivedOf } from "../contract/contract.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { service } from "../service/declare.js";
import type { Service } from "../service/service.js";

// A small bank for the tests of aggregates.

const Opened = z.object({ account: z.string(), owner: z.string() });
const Amount = z.object({ account: z.string(), pence: z.int(), note: z.string().default("") });
const Closed = z.object({ account: z.string() });
const events = () => ({
  opened: event("account.opened", Opened),
  paidIn: event("account.paid-in", Amount),
  paidOut: event("account.paid-out", Amount),
  closed: event("account.closed", Closed),
});

/** Private to the bank. */
export const accounts = topic("accounts", { key: "account", partitions: 3, internal: true, events: events() });
/** The same topic as a program declares it that has no aggregate of it, and does not keep all of it. */
export const accountsTrimmed = topic("accounts", {
  ...{ key: "account", partitions: 3, internal: true, retention: "1d", events: events() },
});
/** What the world hears. */
export const news = topic("account-news", {
  key: "account",
  partitions: 3,
  events: { overdue: event("account.emptied", z.object({ account: z.string(), version: z.int() })) },
});
export const open = command("open-account", Opened, { key: "account" });
export const payIn = command("pay-in", Amount, { key: "account" });
export const payOut = command("pay-out", Amount, { key: "account" });
/** Several events of one command. */
export const payTwice = command("pay-twice", Amount, { key: "account" });
export const close = command("close-account", Closed, { key: "account" });

/** The state of an account. */
export interface Account {
  readonly owner: string | null;
  readonly pence: number;
  readonly moves: number;
}
type Options = AggregateOptions<typeof accounts, Account, AccountCommand, typeof news.overdue>;
/** The commands of an account. */
export type AccountCommand = typeof open | typeof payIn | typeof payOut | typeof payTwice | typeof close;

function decide(asked: ReceivedOf<AccountCommand>, { owner, pence }: Account): ReturnType<Options["decide"]> {
  if (asked.type === "open-account")
    return owner === null ? [accounts.opened(asked.data)] : { refused: "OPEN_ALREADY", detail: `by ${owner}` };
  if (owner === null) return { refused: "NO_ACCOUNT" };
  switch (asked.type) {
    case "pay-in":
      return asked.data.pence === 0 ? [] : [accounts.paidIn(asked.data)];
    case "pay-out":
      return asked.data.pence > pence
        ? { refused: "NOT_ENOUGH", detail: `${pence} left` }
        : [accounts.paidOut(asked.data)];
    case "pay-twice":
      return [accounts.paidIn(asked.data), accounts.paidIn(asked.data)];
    case "close-account":
      return [
        ...(pence > 0 ? [accounts.paidOut({ account: asked.key, pence, note: "rest" })] : []),
        accounts.closed(asked.data),
      ];
  }
}

function evolve(state: Account, happened: Parameters<Options["evolve"]>[1]): Account {
  const moves = state.moves + 1;
  switch (happened.type) {
    case "account.opened":
      return { owner: happened.data.owner, pence: 0, moves };
    case "account.paid-in":
      return { ...state, pence: state.pence + happened.data.pence, moves };
    case "account.paid-out":
      return { ...state, pence: state.pence - happened.data.pence, moves };
    case "account.closed":
      return { owner: null, pence: 0, moves };
  }
}

/** The aggregate, with what a test does in its own way. */
export function accountWith(options: Partial<Options> = {}) {
  return aggregate(accounts, {
    commands: [open, payIn, payOut, payTwice, close],
    emits: [news.overdue],
    initialState: (): Account => ({ owner: null, pence: 0, moves: 0 }),
    decide,
    evolve,
    derive: (happened, { owner, pence, moves }) =>
      owner !== null && pence === 0 && happened.type === "account.paid-out"
        ? [news.overdue({ account: happened.data.account, version: moves })]
        : [],
    ...options,
  });
}

/** As most tests use it. */
export const account = accountWith();

/** The bank, which owns it. */
export function bank(options: Partial<Options> = {}): Service {
  return service("bank").owns(Object.keys(options).length === 0 ? account : accountWith(options));
}
