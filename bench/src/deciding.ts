import { aggregate, command, embedded, event, millrace, type Service, service, silentLogger, topic } from "millrace";
import { z } from "zod";

const Paid = z.object({ account: z.string(), n: z.int(), pence: z.int(), note: z.string() });
type Paid = z.infer<typeof Paid>;

/** What each command leads to: an event of about 150 bytes. */
const accounts = topic("accounts", { key: "account", events: { paid: event("account.paid", Paid) } });
const asks = topic("asks", { key: "account", events: { asked: event("payment.asked", Paid) } });
const pay = command("pay", Paid, { key: "account" });

/** The account of the `n`-th command of so many accounts. They take turns. */
export function payment(n: number, over: number): Paid {
  return {
    account: `account-${String(n % over).padStart(6, "0")}`,
    n: Math.floor(n / over) + 1,
    pence: 5_320,
    note: "the rent of the month, with thanks",
  };
}

/** An account that counts its payments: one out of turn is refused. */
export const account = aggregate(accounts, {
  commands: [pay],
  initialState: () => ({ payments: 0, pence: 0 }),
  decide: ({ data }, { payments }) => (data.n === payments + 1 ? [accounts.paid(data)] : { refused: "OUT_OF_TURN" }),
  evolve: ({ payments, pence }, { data }) => ({ payments: payments + 1, pence: pence + data.pence }),
});

const outside = service("outside").owns(asks);
const feeder = service("feeder").on(asks.asked, { emits: [pay], from: "beginning" }, ({ data }, ctx) =>
  ctx.send(pay(data)),
);
const bank = service("bank").owns(account);

async function startApp(dir: string, services: readonly string[]) {
  const all: readonly Service[] = [outside, feeder, bank];
  const app = millrace({ services: all, engine: embedded(dir), logger: silentLogger, signals: false });
  await app.start({ services });
  return app;
}

const together = 500;

/** Puts commands into the bank's log, as another service's handlers send them, while the bank does not run. */
export async function preloadCommands(
  dir: string,
  { total, over }: { readonly total: number; readonly over: number },
): Promise<void> {
  const app = await startApp(dir, ["outside", "feeder"]);
  for (let n = 0; n < total; n += together) {
    const count = Math.min(together, total - n);
    await app.publish(Array.from({ length: count }, (_, index) => asks.asked(payment(n + index, over))));
  }
  await app.settled();
  await app.stop();
}

/** The bank alone. */
export function startBank(dir: string) {
  return startApp(dir, ["bank"]);
}
