import type { Benchmark, Round } from "./benchmark.js";
import { account, payment, preloadCommands, startBank } from "./deciding.js";
import { figure } from "./figure.js";
import { inFlight, now, rate } from "./load.js";
import { PlainGroups } from "./plain-sqlite.js";

const atOnce = 256;

/** A backlog of commands, from the start of the bank until all are decided. Starting takes a part of it: the backlog is long. */
async function decide({ dir, tiny }: Round, { over, each }: { readonly over: number; readonly each: number }) {
  const accounts = tiny ? Math.min(over, 20) : over;
  const total = accounts * (tiny ? 20 : each);
  await preloadCommands(dir, { total, over: accounts });
  const app = await startBank(dir);
  const start = now();
  await app.settled();
  const measured = rate(start, total);
  for (const n of [0, total - 1]) {
    const { state } = await app.aggregate(account).get(payment(n, accounts).account);
    if (state.payments !== total / accounts)
      throw new Error(`${state.payments} of ${total / accounts} payments were decided`);
  }
  await app.stop();
  return measured;
}

const schema = `
CREATE TABLE log(pos INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE events(stream INTEGER NOT NULL, sequence INTEGER NOT NULL, pos INTEGER NOT NULL, PRIMARY KEY (stream, sequence)) WITHOUT ROWID;
CREATE TABLE positions(consumer INTEGER PRIMARY KEY, frontier INTEGER NOT NULL);
INSERT INTO positions VALUES (1, 0);`;

/** The least that a command's commit needs, as statements: its event, the place in its stream, the position. Nothing is decided. */
async function appends(
  { dir, tiny }: Round,
  { over, each, at }: { readonly over: number; readonly each: number; readonly at: number },
) {
  const groups = new PlainGroups<number>({
    dir,
    schema,
    itemBytes: 600,
    prepare(database) {
      const log = database.prepare("INSERT INTO log(body) VALUES (?)");
      const place = database.prepare("INSERT INTO events VALUES (?, ?, ?)");
      const position = database.prepare("UPDATE positions SET frontier = ? WHERE consumer = 1");
      return (n) => {
        const { lastInsertRowid } = log.run(JSON.stringify(payment(n, over)));
        place.run(n % over, Math.floor(n / over) + 1, lastInsertRowid);
        position.run(n);
      };
    },
  });
  const total = tiny ? 400 : over * each;
  const start = now();
  await inFlight({ at, total }, (n) => groups.add(n));
  const measured = rate(start, total);
  await groups.close();
  return measured;
}

const over1000 = { over: 1_000, each: 150 };
const over10000 = { over: 10_000, each: 20 };
const hot = { over: 1, each: 5_000 };

const trials = {
  decides: (round: Round) => decide(round, over1000),
  appends: (round: Round) => appends(round, { ...over1000, at: atOnce }),
  decidesWide: (round: Round) => decide(round, over10000),
  appendsWide: (round: Round) => appends(round, { ...over10000, at: atOnce }),
  decidesHot: (round: Round) => decide(round, hot),
  appendsHot: (round: Round) => appends(round, { ...hot, at: 1 }),
};

/**
 * Commands of event-sourced aggregates: state from memory, decide, evolve, append with the version checked. Over 10,000
 * streams that get 20 events long, over 1,000 (narrow), and of a single one (hot).
 */
export const commandBenchmark: Benchmark = {
  trials,
  async run(stage) {
    const measured = await stage.alternate(trials, { rounds: 3 });
    const { decides, appends: plain, decidesWide, appendsWide, decidesHot, appendsHot } = measured;
    const unit = "commands/s";
    return [
      figure({
        name: "command",
        value: decidesWide.perSecond,
        unit,
        ceiling: appendsWide.perSecond,
        goal: { atLeast: 25_000 },
      }),
      figure({ name: "command.cpu", value: decidesWide.cpuMs, unit: "ms/command", ceiling: appendsWide.cpuMs }),
      figure({ name: "command.narrow", value: decides.perSecond, unit, ceiling: plain.perSecond }),
      figure({ name: "command.hot", value: decidesHot.perSecond, unit, ceiling: appendsHot.perSecond }),
    ];
  },
};
