import { Failure } from "../failure/failure.js";
import type { NewRecord } from "../log/log.js";
import { amendedAs } from "../store/builds.js";
import { EntriesDone, edited, isRedriven, skippedAnswer } from "../store/dead-letter.js";
import type { Act, ActOutcome, Edit, EntriesOutcome, Operate } from "../store/operate.js";
import { decodeEntry, type EntryRow, encodeRecord } from "../store/rows.js";
import type { LaneEntry } from "../store/unit.js";
import { audit } from "./audit.js";
import { drop, dropBuildOf, forgetConsumer, rebuild, swap } from "./builds.js";
import { advanceJobs, changeJob, createJob, leaveJobs } from "./jobs.js";
import { findDeadLetter, redriveLetter } from "./letters.js";
import { pause, resume } from "./pauses.js";
import { all, first, run } from "./query.js";
import { seek } from "./seek.js";
import type { Database } from "./sqlite.js";

/** Runs `work` in one transaction that holds only while this process owns the file. */
export type Transact = <T>(work: () => T) => T;

/** As {@link Transact}, for work that also appends records to the log. */
export type Appending = <T>(work: (append: (record: NewRecord) => void) => T) => T;

/** Operators' acts, done when the call returns. */
export type OperateNow = {
  readonly [Name in keyof Operate]: (...args: Parameters<Operate[Name]>) => Awaited<ReturnType<Operate[Name]>>;
};

/** Operators' acts on the file. What they change behind the engine's memory is in the outcome's `lanes`. */
export function createOperate(database: Database, transact: Transact, appending: Appending): OperateNow {
  return {
    edit: (made, act) => transact(() => edit(database, made, act)),
    skip: (entries, act) =>
      appending((append) =>
        each(database, entries, (letter) => {
          const answer = skippedAnswer(letter, act);
          if (answer !== undefined) append(answer);
          return skip(database, letter, act);
        }),
      ),
    redrive: (entries, act) => transact(() => each(database, entries, (letter) => redrive(database, letter, act))),
    forget: (consumer, act) => transact(() => forget(database, consumer, act)),
    pause: (consumer, act) => transact(() => pause(database, consumer, act)),
    resume: (consumer, act) => transact(() => resume(database, consumer, act)),
    seek: (asked, act) => transact(() => seek(database, asked, act)),
    rebuild: (view, act) => transact(() => rebuild(database, view, act)),
    swap: (asked, act) => transact(() => swap(database, asked, act)),
    drop: (build, act) => transact(() => drop(database, build, act)),
    createJob: (job, act) => transact(() => createJob(database, job, act)),
    changeJob: (job, change, act) => transact(() => changeJob(database, { job, change }, act)),
    advanceJobs: (now) => transact(() => advanceJobs(database, now)),
  };
}

const names: Readonly<Record<keyof Operate, true>> = {
  edit: true,
  skip: true,
  redrive: true,
  forget: true,
  pause: true,
  resume: true,
  seek: true,
  rebuild: true,
  swap: true,
  drop: true,
  createJob: true,
  changeJob: true,
  advanceJobs: true,
};

/** Operators' acts that are all done in one way, by name. */
export function operateBy(act: (name: keyof Operate, args: readonly unknown[]) => unknown): Operate {
  const acts = Object.keys(names).map((name) => [
    name,
    (...args: readonly unknown[]) => act(name as keyof Operate, args),
  ]);
  return Object.fromEntries(acts) as Operate;
}

const unchanged: ActOutcome = { changed: 0, lanes: [] };

function edit(database: Database, asked: Edit, act: Act): ActOutcome {
  const { entry, id, data, version } = asked;
  const letter = deadLetter(database, entry);
  if (letter.record.id === id) return unchanged;
  const record = edited(letter, asked, isEdited(database, letter));
  amend(database, letter, { act: "replace", id, data, version }, act);
  run(database, "UPDATE mr_lane_entries SET record = ? WHERE entry = ?", encodeRecord(record), entry);
  for (const sibling of siblingsOf(database, letter))
    run(database, "UPDATE mr_lane_entries SET record = ? WHERE entry = ?", encodeRecord(record), sibling.entry);
  audit(database, "edit", `dead letter ${entry} of ${letter.consumer}`, act);
  return { changed: 1, lanes: [] };
}

function isEdited(database: Database, letter: LaneEntry): boolean {
  const { topic, partition, offset } = letter.record;
  const sql = "SELECT 1 FROM mr_amendments WHERE consumer = ? AND topic = ? AND partition = ? AND offset = ?";
  return first(database, sql, amendedAs(letter.consumer), topic, partition, offset) !== undefined;
}

/** Entries that are gone or run already are passed over, so that a repeated act on many finishes the first one's work. */
function each(
  database: Database,
  entries: readonly number[],
  act: (letter: LaneEntry) => readonly LaneEntry[] | void,
): EntriesOutcome {
  const done = new EntriesDone();
  for (const entry of new Set(entries)) {
    const letter = findDeadLetter(database, entry);
    if (letter instanceof Failure) done.passOver(entry);
    else done.done(act(letter) ?? [letter]);
  }
  return done.outcome();
}

/** What becomes of an event for one build of a view becomes of it for all. */
function skip(database: Database, letter: LaneEntry, act: Act): readonly LaneEntry[] {
  const letters = [letter, ...siblingsOf(database, letter)];
  amend(database, letter, { act: "skip" }, act);
  audit(database, "skip", `dead letter ${letter.entry} of ${letter.consumer}`, act);
  for (const one of letters) remove(database, one, act);
  return letters;
}

/** The same event, where it waits in lanes of other builds of the view. */
function siblingsOf(database: Database, { consumer, record, entry }: LaneEntry): readonly LaneEntry[] {
  const amended = amendedAs(consumer);
  if (amended === consumer) return [];
  const { topic, partition, offset } = record;
  const sql = `SELECT * FROM mr_lane_entries WHERE substr(consumer, 1, ?) = ? AND topic = ? AND partition = ? AND offset = ? AND entry <> ?`;
  const beginning = `${amended}@`;
  const rows = all<EntryRow>(database, sql, beginning.length, beginning, topic, partition, offset, entry);
  return rows.map(decodeEntry);
}

function remove(database: Database, letter: LaneEntry, act: Act): void {
  run(database, "DELETE FROM mr_lane_entries WHERE entry = ?", letter.entry);
  leaveJobs(database, "entry = ?", [letter.entry], `skipped by ${act.actor}`);
  // Dead letters that let others pass never block: the head is the first entry that holds.
  run(
    database,
    `UPDATE mr_lane_entries SET state = 'parked', due = ? WHERE state = 'following' AND entry =
       (SELECT min(entry) FROM mr_lane_entries WHERE consumer = ? AND lane = ? AND holds = 1)`,
    act.at,
    letter.consumer,
    letter.lane,
  );
}

function redrive(database: Database, letter: LaneEntry, act: Act): readonly LaneEntry[] {
  const letters = [letter, ...siblingsOf(database, letter).filter(isRedriven)];
  for (const { entry } of letters) redriveLetter(database, entry, act.at);
  audit(database, "redrive", `dead letter ${letter.entry} of ${letter.consumer}`, act);
  return letters;
}

function forget(database: Database, consumer: string, act: Act): ActOutcome {
  if (first(database, "SELECT 1 FROM mr_consumers WHERE consumer = ?", consumer) === undefined)
    throw new Failure("NOT_FOUND", `no consumer ${consumer} is registered; see millrace consumers ls`);
  let changed = 0;
  leaveJobs(database, "consumer = ?", [consumer], `${consumer} was forgotten by ${act.actor}`);
  changed += forgetConsumer(database, consumer);
  dropBuildOf(database, consumer, act.at);
  audit(database, "forget", `consumer ${consumer}`, act);
  return { changed, lanes: [] };
}

function deadLetter(database: Database, entry: number): LaneEntry {
  const letter = findDeadLetter(database, entry);
  if (letter instanceof Failure) throw letter;
  return letter;
}

type Amending =
  | { readonly act: "skip"; readonly id?: never; readonly data?: never; readonly version?: never }
  | ({ readonly act: "replace" } & Omit<Edit, "entry">);

function amend(database: Database, letter: LaneEntry, amending: Amending, act: Act): void {
  const { topic, partition, offset } = letter.record;
  run(
    database,
    "INSERT OR REPLACE INTO mr_amendments VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    amendedAs(letter.consumer),
    topic,
    partition,
    offset,
    amending.act,
    amending.id ?? null,
    amending.data ?? null,
    amending.version ?? null,
    act.reason,
    act.actor,
    act.at,
  );
}
