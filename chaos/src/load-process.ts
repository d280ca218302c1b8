// One process of a chaos run: runs the services, and publishes and sends to them. It dies by what comes from outside, or
// by a fault that was loaded before it. Says "ready", "acked" and "drained" on standard output, and is told "rest" there.
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { isFailure, type Logger, millrace, type Published } from "millrace";
import { chanceOf, seedOf } from "./chance.js";
import { engineOf } from "./engine.js";
import type { Place } from "./ground.js";
import { type Ack, ackLine, acksIn, appending } from "./record.js";
import { intake, nudge, orderOf, services } from "./work.js";

/** What a process is told when it starts. */
export interface LoadOptions {
  readonly place: Place;
  readonly dir: string;
  readonly seed: number;
  readonly slot: number;
  /** How many processes have had this slot before. */
  readonly generation: number;
  /** Publishes and sends a second, about. */
  readonly rate: number;
  readonly aborts: boolean;
}

const options = JSON.parse(process.argv[2] ?? "{}") as LoadOptions;
const { place, dir, seed, slot, generation, rate, aborts } = options;
const chance = chanceOf(seedOf(seed, slot, generation, 1));
const acksFile = join(dir, `acks-${slot}.log`);
const say = (line: string) => void writeSync(1, `${line}\n`);

/** Where this slot's numbers go on, and which of the last ones nobody was promised. */
function resume(): { readonly next: number; readonly open: readonly number[] } {
  const known = new Set<number>();
  let last = 0;
  for (const { kind, n } of acksIn(acksFile))
    if (kind !== "loose") {
      known.add(n);
      last = Math.max(last, n);
    }
  const open: number[] = [];
  // What was under way at the end is sent again under its id, and some of what was acknowledged as well.
  for (let n = Math.max(1, last - 200); n <= last + 64; n += 1)
    if (n > last || !known.has(n) || chance.happens(0.1)) open.push(n);
  return { next: last + 65, open };
}

const acks = appending(acksFile);
const runs = appending(join(dir, `runs-${slot}.log`));
const troubles = appending(join(dir, `log-${slot}.log`));
const note = (level: string) => (fields: object, message: string) => {
  const { code = "", err } = fields as { code?: string; err?: unknown };
  troubles.append([new Date().toISOString(), generation, process.pid, level, code, message, String(err ?? "")]);
};
const logger: Logger = {
  debug() {},
  info: note("info"),
  warn: note("warn"),
  error: note("error"),
  child: () => logger,
};

const app = millrace({
  services: services({
    ran: (...run) => runs.append(run),
    aborts,
    sql: place.engine === "embedded" ? "sqlite" : "postgres",
  }),
  engine: await engineOf(place, dir),
  logger,
  signals: false,
  admin: false,
});

let resting = false;
let acked = false;
function acknowledge(ack: Ack): void {
  acks.append(ackLine(ack));
  if (acked) return;
  acked = true;
  say("acked");
}

function acknowledged(kind: Ack["kind"], n: number, key: string, published: Published): void {
  const { id, topic, partition, offset } = published;
  acknowledge({ kind, id, topic, partition, offset, key, slot, n });
}

/** The n-th thing that this slot asks for, under an id of its own: most are orders, some commands. */
async function named(n: number): Promise<void> {
  const order = orderOf(seed, slot, n);
  if (n % 8 === 3) {
    const { id } = await app.send(nudge({ key: order.key, n }), { id: `n-${slot}-${n}` });
    acknowledge({ kind: "nudge", id, topic: "books.commands", partition: -1, offset: -1, key: order.key, slot, n });
  } else acknowledged("order", n, order.key, await app.publish(intake.received(order), { id: `o-${slot}-${n}` }));
}

/** Orders that Millrace names, one or some in a commit. Their numbers say which process made them. */
let loose = 0;
async function unnamed(): Promise<void> {
  const orders = Array.from({ length: chance.happens(0.5) ? 1 : 3 }, () => {
    loose += 1;
    return {
      ...orderOf(seed, slot + 1_000 * generation, loose),
      n: slot * 1e9 + generation * 1e6 + loose,
      mark: "plain" as const,
    };
  });
  const published = await app.publish(orders.map((order) => intake.received(order)));
  for (const [index, { key, n }] of orders.entries()) acknowledged("loose", n, key, published[index] as Published);
}

/** What the store cannot do just now is tried again, unchanged; anything else must not happen. */
async function insist(work: () => Promise<void>, again: boolean): Promise<void> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      note("refused")({ code: isFailure(error) ? error.code : "?", err: error }, "a publish was refused");
      if (!again || !isFailure(error, "STORE_UNAVAILABLE") || resting) return;
      await pause(50);
    }
  }
}

const parallel = 6;
async function drive(): Promise<void> {
  const { next: first, open } = resume();
  let next = first;
  const waiting = [...open];
  const lane = async (): Promise<void> => {
    while (!resting) {
      if (chance.happens(0.15)) await insist(unnamed, false);
      else {
        const n = waiting.shift() ?? next++;
        await insist(() => named(n), true);
        // Somebody sends it once more, now or when it has been handled.
        if (chance.happens(0.05)) await insist(() => named(n), true);
      }
      // In bursts: what came up in one turn of a process shares a commit.
      if (chance.happens(0.6)) await pause(chance.next() * ((2_000 * parallel) / rate));
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
}

createInterface({ input: process.stdin }).on("line", (line) => {
  if (line === "rest") resting = true;
});
process.once("SIGTERM", () => {
  resting = true;
  app.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      note("error")({ err: error }, "the app could not stop in order");
      process.exit(3);
    },
  );
});

try {
  await app.start();
} catch (error) {
  note("error")({ err: error, code: isFailure(error) ? error.code : "?" }, "the app did not start");
  // Whoever owns the file is stopped just now, or a server is down: another try may find it awake.
  const passing = place.engine === "embedded" ? ["STORE_OWNED"] : ["STORE_UNAVAILABLE", "LOG_UNAVAILABLE"];
  process.exit(isFailure(error) && passing.includes(error.code) ? 4 : 5);
}
say("ready");
await drive();
say("drained");
