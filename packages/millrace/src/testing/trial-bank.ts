import { z } from "zod";
import type { Context } from "../consumer/handler.js";
import { documents } from "../contract/documents.js";
import { command, event } from "../contract/event.js";
import { topic } from "../contract/topic.js";
import { Failure } from "../failure/failure.js";
import { saga } from "../saga/saga.js";
import { service } from "../service/declare.js";
import type { Service } from "../service/service.js";

// For the tests of sagas: transfers between accounts. Money that has left one account and not reached another is reserved.

const Transfer = z.object({ transferId: z.string(), from: z.string(), to: z.string(), pence: z.int() });
const Movement = z.object({ accountId: z.string(), transferId: z.string(), pence: z.int() });

export const transfers = topic("transfers", {
  key: "transferId",
  events: { asked: event("transfer.asked", Transfer) },
});
const endings = topic("endings", {
  key: "transferId",
  events: { made: event("ending.made", Transfer), failed: event("ending.failed", Transfer) },
});
const movements = topic("movements", {
  key: "accountId",
  events: {
    withdrawn: event("movement.withdrawn", Movement),
    declined: event("movement.declined", Movement),
    deposited: event("movement.deposited", Movement),
    bounced: event("movement.bounced", Movement),
  },
});
const noted = topic("notes", { key: "transferId", events: { taken: event("note.taken", Transfer) } });
const withdraw = command("withdraw", Movement, { key: "accountId" });
const giveBack = command("give-back", Movement, { key: "accountId" });
const deposit = command("deposit", Movement, { key: "accountId" });
const takeBack = command("take-back", Movement, { key: "accountId" });
const note = command("note", Transfer, { key: "transferId" });

export const accounts = documents("accounts", z.object({ accountId: z.string(), pence: z.int() }), { id: "accountId" });
export const reservations = documents("reservations", z.object({ transferId: z.string(), pence: z.int() }), {
  id: "transferId",
});
/** What every account has at first, without a document. */
export const openingPence = 1_000;

/** How a run of a command fares, of all its attempts for one transfer. */
export type Fate = "done" | "failed" | "refused" | "throws" | "dies";
export type Fates = (command: string, transferId: string, attempt: number) => Fate;

type Moved = z.infer<typeof Movement>;

/** A new transfer saga: each use of it belongs to one app. */
export function transferring() {
  const moving = (pence: number, accountId: string, transferId: string): Moved => ({ accountId, transferId, pence });
  return saga("transfer", { startsOn: transfers.asked, key: "transferId", state: ({ data }) => data })
    .step("withdraw", {
      send: (s) => withdraw(moving(s.pence, s.from, s.transferId)),
      done: movements.withdrawn,
      failed: movements.declined,
      undo: (s) => giveBack(moving(s.pence, s.from, s.transferId)),
      timeout: "5m",
    })
    .step("deposit", {
      send: (s) => deposit(moving(s.pence, s.to, s.transferId)),
      done: movements.deposited,
      failed: movements.bounced,
      undo: (s) => takeBack(moving(s.pence, s.to, s.transferId)),
      timeout: "5m",
      retry: { attemptsMax: 2, backoffFirst: "5ms" },
    })
    .step("note", { send: (s) => note(s), done: noted.taken, retry: { attemptsMax: 2, backoffFirst: "5ms" } })
    .completed((s) => endings.made(s))
    .aborted((s) => endings.failed(s));
}

/** The bank: balances and reservations change in one unit of work. */
export function bank(fates: Fates, owned = transferring()): Service[] {
  const retry = { attemptsInPlace: 1, attemptsMax: 3, backoffFirst: "1ms", backoffMax: "5ms" } as const;
  const fare = (type: string, transferId: string, attempt: number): Fate => {
    const fate = fates(type, transferId, attempt);
    if (fate === "throws") throw new Error("not now");
    if (fate === "dies") throw new Failure("EVENT_REJECTED", "never");
    return fate;
  };
  const refusal = { refused: "NO" };
  const banking = service("bank")
    .handle(withdraw, { emits: [movements.withdrawn, movements.declined], retry }, async ({ data }, ctx) => {
      const fate = fare("withdraw", data.transferId, ctx.attempt);
      if (fate === "refused") return refusal;
      const account = (await ctx.documents(accounts).get(data.accountId)) ?? opened(data);
      if (fate === "failed" || account.pence < data.pence) return ctx.publish(movements.declined(data));
      ctx.documents(accounts).put({ ...account, pence: account.pence - data.pence });
      ctx.documents(reservations).put(data);
      return ctx.publish(movements.withdrawn(data));
    })
    .handle(giveBack, { retry }, async ({ data }, ctx) => {
      const fate = fare("give-back", data.transferId, ctx.attempt);
      if (fate !== "done") return refusal;
      await unreserve(data, ctx);
      return move(data, ctx, data.pence);
    })
    .handle(deposit, { emits: [movements.deposited, movements.bounced], retry }, async ({ data }, ctx) => {
      const fate = fare("deposit", data.transferId, ctx.attempt);
      if (fate === "refused") return refusal;
      if (fate === "failed") return ctx.publish(movements.bounced(data));
      await unreserve(data, ctx);
      await move(data, ctx, data.pence);
      return ctx.publish(movements.deposited(data));
    })
    .handle(takeBack, { retry }, async ({ data }, ctx) => {
      const fate = fare("take-back", data.transferId, ctx.attempt);
      if (fate !== "done") return refusal;
      ctx.documents(reservations).put(data);
      return move(data, ctx, -data.pence);
    });
  const noting = service("notes").handle(note, { emits: [noted.taken], retry }, ({ data }, ctx) => {
    const fate = fare("note", data.transferId, ctx.attempt);
    return fate === "done" ? ctx.publish(noted.taken(data)) : refusal;
  });
  return [service("transfers").owns(transfers, endings, owned), banking, noting];
}

const opened = ({ accountId }: Moved) => ({ accountId, pence: openingPence });

async function unreserve({ transferId, pence }: Moved, ctx: Pick<Context<never>, "documents">): Promise<void> {
  const reserved = await ctx.documents(reservations).get(transferId);
  if (reserved?.pence !== pence) throw new Failure("EVENT_REJECTED", `${transferId} has no money reserved`);
  ctx.documents(reservations).delete(transferId);
}

async function move(data: Moved, ctx: Pick<Context<never>, "documents">, pence: number): Promise<void> {
  const account = (await ctx.documents(accounts).get(data.accountId)) ?? opened(data);
  ctx.documents(accounts).put({ ...account, pence: account.pence + pence });
}

/** Some runs fail, by the number of the transfer: to be repeated, or to be taken back. */
export const unlucky: Fates = (type, transferId, attempt) => {
  const n = Number(transferId.slice(2));
  if (type === "deposit" && n % 7 === 0) return n % 2 === 0 ? "failed" : "refused";
  if (type === "note" && n % 11 === 0) return "refused";
  return attempt === 1 && n % 5 === 0 ? "throws" : "done";
};

/** The nth of many transfers. Nobody runs out of money. */
export function transferOf(n: number): z.infer<typeof Transfer> {
  return { transferId: `t-${n}`, from: `a-${n % 37}`, to: `a-${(n * 5 + 1) % 37}`, pence: 1 + (n % 9) };
}
