import { setImmediate as turn } from "node:timers/promises";
import { type Context, command, documents, event, type Service, service, topic } from "millrace";
import { z } from "zod";
import { chanceOf, seedOf } from "./chance.js";

const Order = z.object({
  key: z.string(),
  peer: z.string(),
  n: z.int(),
  mark: z.enum(["plain", "shaky", "poison", "abort"]),
});
const Derived = z.object({ key: z.string(), cause: z.string(), due: z.int() });

export const intake = topic("intake", {
  key: "key",
  partitions: 8,
  events: { received: event("order.received", Order) },
});
const derived = topic("derived", {
  key: "key",
  partitions: 6,
  events: { made: event("bill.made", Derived), later: event("bill.reminded", Derived) },
});
export const nudge = command("nudge", z.object({ key: z.string(), n: z.int() }), { key: "key" });

/** One tally a consumer, topic and key: how many, and a running hash of which, in which order. */
const tallies = documents("tallies", z.object({ id: z.string(), count: z.int(), hash: z.int(), last: z.string() }), {
  id: "id",
});
const accounts = documents("accounts", z.object({ key: z.string(), pence: z.int() }), { id: "key" });

/** The next running hash: of everything before, and this id. */
export function hashOf(before: number, id: string): number {
  let hash = before;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return hash;
}

/** What an order of this number asks for. The auditor knows the same rules. */
export const rules = {
  reminds: (n: number) => n % 5 === 0,
  transfers: (n: number) => n % 4 === 0,
  refused: (n: number) => n % 7 === 0,
  reminderMs: 250,
};

const keysMax = 100;
/** A third of the orders are of few keys, so that some wait behind others. */
const hotKeys = 6;
const poisonKeys = 4;

/** The order that a driver publishes as its n-th: always the same for a seed, so that it can be sent again. */
export function orderOf(seed: number, slot: number, n: number): z.infer<typeof Order> {
  const chance = chanceOf(seedOf(seed, slot, n));
  const peer = `k-${chance.whole(0, keysMax - 1)}`;
  if (chance.happens(1 / 150)) return { key: `p-${chance.whole(0, poisonKeys - 1)}`, peer, n, mark: "poison" };
  if (chance.happens(1 / 300)) return { key: `p-${chance.whole(0, poisonKeys - 1)}`, peer, n, mark: "abort" };
  if (chance.happens(1 / 50)) return { key: `p-${chance.whole(0, poisonKeys - 1)}`, peer, n, mark: "plain" };
  const key = `k-${chance.whole(0, chance.happens(1 / 3) ? hotKeys - 1 : keysMax - 1)}`;
  return { key, peer, n, mark: chance.happens(1 / 25) ? "shaky" : "plain" };
}

export interface WorkHost {
  /** Notes, outside, that a handler has begun to run. */
  ran(consumer: string, id: string, idempotencyKey: string): void;
  /** Whether orders marked for it end the process. */
  readonly aborts: boolean;
  /** Whose SQL the tables are made with. */
  readonly sql: "sqlite" | "postgres";
}

/** The tables of what was applied, in the order of the commits: a row in the same commit as every other effect. */
const applied = (name: string, sql: WorkHost["sql"]) => {
  const seq =
    sql === "sqlite" ? "INTEGER PRIMARY KEY AUTOINCREMENT" : "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY";
  return {
    "001-applied": `CREATE TABLE applied_${name}(seq ${seq}, consumer TEXT, topic TEXT, key TEXT, id TEXT)`,
  };
};

const retry = { attemptsInPlace: 2, attemptsMax: 6, backoffFirst: "50ms", backoffMax: "250ms" } as const;

function books({ ran, aborts, sql }: WorkHost): Service {
  return service("books")
    .owns(intake)
    .migrations(applied("books", sql))
    .on(
      intake.received,
      { from: "beginning", retry, emits: [derived.made, derived.later] },
      async ({ id, topic: from, data }, ctx) => {
        ran("books", id, ctx.idempotencyKey);
        const tally = ctx.documents(tallies);
        const name = `books.${from}.${data.key}`;
        const before = (await tally.get(name)) ?? { id: name, count: 0, hash: 0, last: "" };
        if (rules.transfers(data.n) && data.peer !== data.key) {
          const purse = ctx.documents(accounts);
          const [mine, theirs] = [await purse.get(data.key), await purse.get(data.peer)];
          purse.put({ key: data.key, pence: (mine?.pence ?? 0) - (data.n % 100) });
          purse.put({ key: data.peer, pence: (theirs?.pence ?? 0) + (data.n % 100) });
        }
        await turn();
        if (data.mark === "abort" && aborts) process.abort();
        if (data.mark === "poison") throw new Error("it can never be handled");
        if (data.mark === "shaky" && ctx.attempt <= 3) throw new Error("its first runs fail");
        tally.put({ id: name, count: before.count + 1, hash: hashOf(before.hash, id), last: id });
        ctx.sql`INSERT INTO applied_books(consumer, topic, key, id) VALUES ('books', ${from}, ${data.key}, ${id})`;
        const due = Date.now() + rules.reminderMs;
        ctx.publish(derived.made({ key: data.key, cause: id, due: 0 }));
        if (rules.reminds(data.n)) ctx.after(`${rules.reminderMs}ms`, derived.later({ key: data.key, cause: id, due }));
      },
    )
    .handle(nudge, { retry, emits: [derived.made] }, async ({ id, topic: from, data }, ctx) => {
      ran("books", id, ctx.idempotencyKey);
      if (rules.refused(data.n)) return { refused: "NOT_TODAY" };
      const tally = ctx.documents(tallies);
      const name = `books.${from}.${data.key}`;
      const before = (await tally.get(name)) ?? { id: name, count: 0, hash: 0, last: "" };
      tally.put({ id: name, count: before.count + 1, hash: hashOf(before.hash, id), last: id });
      ctx.sql`INSERT INTO applied_books(consumer, topic, key, id) VALUES ('books', ${from}, ${data.key}, ${id})`;
      ctx.publish(derived.made({ key: data.key, cause: id, due: 0 }));
      return undefined;
    })
    .consumer("watch", (consumer) =>
      // It reads nothing: only its claims keep it from doing things twice.
      consumer.on(intake.received, { from: "beginning", retry, onPoison: "skip" }, ({ id, topic: from, data }, ctx) => {
        ran("books.watch", id, ctx.idempotencyKey);
        if (data.mark === "poison" || (data.mark === "shaky" && ctx.attempt === 1)) throw new Error("not now");
        ctx.sql`INSERT INTO applied_books(consumer, topic, key, id) VALUES ('books.watch', ${from}, ${data.key}, ${id})`;
      }),
    );
}

function mirror({ ran, sql }: WorkHost): Service {
  const handle = async (
    { id, topic: from, data }: { id: string; topic: string; data: z.infer<typeof Derived> },
    ctx: Context<never>,
  ) => {
    ran("mirror", id, ctx.idempotencyKey);
    const tally = ctx.documents(tallies);
    const name = `mirror.${from}.${data.key}`;
    const before = (await tally.get(name)) ?? { id: name, count: 0, hash: 0, last: "" };
    await turn();
    tally.put({ id: name, count: before.count + 1, hash: hashOf(before.hash, id), last: id });
    ctx.sql`INSERT INTO applied_mirror(consumer, topic, key, id) VALUES ('mirror', ${from}, ${data.key}, ${id})`;
  };
  return service("mirror")
    .migrations(applied("mirror", sql))
    .on(derived.made, { from: "beginning", retry }, handle)
    .on(derived.later, { from: "beginning", retry }, handle);
}

/** A chain of two services, with three consumers. */
export function services(host: WorkHost): readonly Service[] {
  return [books(host), mirror(host)];
}

/** Who hears what: the auditor's view of the subscriptions. */
export const subscriptions: readonly {
  readonly consumer: string;
  readonly topic: string;
  readonly types: readonly string[];
}[] = [
  { consumer: "books", topic: "intake", types: ["order.received"] },
  { consumer: "books", topic: "books.commands", types: ["nudge"] },
  { consumer: "books.watch", topic: "intake", types: ["order.received"] },
  { consumer: "mirror", topic: "derived", types: ["bill.made", "bill.reminded"] },
];
