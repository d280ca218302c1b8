import { Amendments } from "../consumer/amendments.js";
import { receive } from "../consumer/received.js";
import type { ViewRows } from "../consumer/view.js";
import type { ContractDeclaration } from "../contract/declaration.js";
import type { OpenEngine } from "../engine/engine.js";
import { describeError, Failure } from "../failure/failure.js";
import type { LogRecord } from "../log/log.js";
import { murmur2 } from "../log/murmur2.js";
import { type Build, buildConsumer, buildLabel } from "../store/builds.js";
import type { ConsumerView } from "../store/inspect.js";
import { isDone } from "../store/position.js";
import { ChangesSince } from "./changes-since.js";
import { Checksum, canonicalText } from "./checksum.js";

/** What is verified. */
export interface Verifying {
  readonly engine: OpenEngine;
  readonly build: Build;
  readonly rows: ViewRows;
  /** Every declared event, by type. */
  readonly contracts: ReadonlyMap<string, ContractDeclaration>;
  /** ms since the epoch. */
  readonly now: number;
  /** Rows that are folded at once; more take as many passes over the log. */
  readonly rowsMax?: number;
}

/** A row that is not what the log says. Undefined: there is none. */
export interface RowDifference {
  readonly id: string;
  readonly stored: unknown;
  readonly folded: unknown;
}

/** What a verification found. */
export interface Verified {
  readonly equal: boolean;
  readonly rows: number;
  /** Rows that changed meanwhile, and were not compared. */
  readonly changed: number;
  readonly storedChecksum: string;
  readonly foldedChecksum: string;
  readonly differences: number;
  /** The first of them. */
  readonly first: readonly RowDifference[];
}

const shownMax = 10;
const pageRows = 1_000;
const batchRecords = 2_000;
const batchBytes = 4 * 1024 * 1024;
const rowsAtOnce = 200_000;
const entriesPage = 1_000;

/**
 * Compares a build's rows with a fresh fold of the log, up to where the build is: amended as it is, and without what waits in
 * its lanes. The build may go on meanwhile; rows that it changes are left out.
 *
 * @throws {Failure} CONFLICT when the log does not hold its beginning any more, or the build was moved meanwhile.
 */
export async function verifyBuild(verifying: Verifying): Promise<Verified> {
  const moment = await Moment.take(verifying);
  const { store } = verifying.engine;
  const filter = { service: verifying.build.service, type: buildLabel(verifying.build), where: [] };
  const passes = Math.max(1, Math.ceil((await store.countDocuments(filter)) / (verifying.rowsMax ?? rowsAtOnce)));
  const found: Found = { stored: new Checksum(), folded: new Checksum(), differences: 0, first: [] };
  for (let pass = 0; pass < passes; pass += 1) {
    const mine = (id: string) => passes === 1 || (murmur2(id) >>> 0) % passes === pass;
    const folded = await moment.fold(mine);
    await compare(verifying, moment, { folded, mine, found });
  }
  const { stored, folded, differences, first } = found;
  return {
    ...{ equal: differences === 0, rows: stored.rows, changed: moment.changed.size },
    ...{ storedChecksum: stored.text, foldedChecksum: folded.text, differences, first },
  };
}

interface Found {
  readonly stored: Checksum;
  readonly folded: Checksum;
  differences: number;
  readonly first: RowDifference[];
}

interface Pass {
  readonly folded: Map<string, unknown>;
  readonly mine: (id: string) => boolean;
  readonly found: Found;
}

async function compare(verifying: Verifying, moment: Moment, { folded, mine, found }: Pass): Promise<void> {
  const { build, engine } = verifying;
  const query = { service: build.service, type: buildLabel(build), where: [], limit: pageRows };
  for (let after: { value: null; id: string } | undefined; ; ) {
    const page = await engine.store.findDocuments({ ...query, after });
    // What changed since is known after the page was read: its rows are either as they were, or left out.
    await moment.look();
    for (const { id, text } of page) {
      if (!mine(id)) continue;
      judge(found, moment, { id, stored: JSON.parse(text), folded: folded.get(id) });
      folded.delete(id);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < pageRows) break;
    after = { value: null, id: last.id };
    await turn();
  }
  await moment.look();
  for (const [id, row] of folded) judge(found, moment, { id, stored: undefined, folded: row });
}

function judge(found: Found, moment: Moment, row: RowDifference): void {
  if (moment.changed.has(row.id)) return;
  const [stored, folded] = [row.stored, row.folded].map((one) => (one === undefined ? undefined : canonicalText(one)));
  if (stored !== undefined) found.stored.add(row.id, stored);
  if (folded !== undefined) found.folded.add(row.id, folded);
  if (stored === folded) return;
  found.differences += 1;
  if (found.first.length < shownMax) found.first.push(row);
}

/** Where a build is at one moment, and what it has changed since. */
class Moment {
  /** Rows that were written after the moment. */
  readonly changed = new Set<string>();
  readonly #verifying: Verifying;
  readonly #view: ConsumerView;
  /** Events that wait in its lanes: their effect is in no row. */
  readonly #waiting: ReadonlySet<string>;
  readonly #amendments: Amendments;
  readonly #since: ChangesSince;

  private constructor(
    verifying: Verifying,
    known: { view: ConsumerView; waiting: ReadonlySet<string>; amendments: Amendments; since: ChangesSince },
  ) {
    this.#verifying = verifying;
    this.#view = known.view;
    this.#waiting = known.waiting;
    this.#amendments = known.amendments;
    this.#since = known.since;
  }

  /** Changes are looked at first: what is done after that is taken for a change, not for a difference. */
  static async take(verifying: Verifying): Promise<Moment> {
    const { engine, build, now } = verifying;
    const { store, inspect, log } = engine;
    const consumer = buildConsumer(build);
    const since = await ChangesSince.now({ store, service: build.service, type: buildLabel(build) });
    const view = (await inspect.consumers(now)).find((one) => one.consumer === consumer);
    if (view === undefined) throw new Failure("CONFLICT", `${consumer} has not begun: start an app that declares it`);
    for (const { topic } of view.topics) {
      const starts = await log.starts(topic);
      if (starts.some((start) => start > 0))
        throw new Failure(
          "CONFLICT",
          `topic ${topic} does not hold its beginning any more: its retention has passed; rows cannot be made anew from what is left`,
        );
    }
    const waiting = new Set<string>();
    for (let after = 0; ; ) {
      const page = await inspect.entries({ consumer, limit: entriesPage, afterEntry: after });
      for (const { record } of page) waiting.add(placeOf(record));
      const end = page.at(-1);
      if (end === undefined || page.length < entriesPage) break;
      after = end.entry;
    }
    const amendments = new Amendments();
    await amendments.load(store, consumer);
    return new Moment(verifying, { view, waiting, amendments, since });
  }

  /** Notes which rows have changed since. */
  async look(): Promise<void> {
    for (;;) {
      const told = await this.#since.next();
      if (told === undefined)
        throw new Failure(
          "CONFLICT",
          `${buildConsumer(this.#verifying.build)} changes faster than it is verified; pause it, or try again`,
        );
      for (const { ids } of told.commits) for (const id of ids) this.changed.add(id);
      if (!told.more) return;
    }
  }

  /** The rows whose ids are wanted, folded from the log up to the moment. */
  async fold(wanted: (id: string) => boolean): Promise<Map<string, unknown>> {
    const rows = new Map<string, unknown>();
    for (const { topic, types } of this.#view.topics) {
      const heard = new Set(types);
      const positions = this.#view.positions.filter((position) => position.topic === topic);
      const from = [...(await this.#verifying.engine.log.starts(topic))];
      for (;;) {
        const batch = await this.#verifying.engine.log.read({
          topic,
          from,
          recordsMax: batchRecords,
          bytesMax: batchBytes,
        });
        for (const record of batch.records) {
          const position = positions.find(({ partition }) => partition === record.partition);
          if (position === undefined || !heard.has(record.type) || !isDone(position, record.offset)) continue;
          if (!this.#waiting.has(placeOf(record))) this.#apply(rows, record, wanted);
        }
        for (const { partition } of positions) from[partition] = batch.next[partition] ?? 0;
        const ended = positions.every(
          ({ partition, frontier, finished }) =>
            (from[partition] as number) >= Math.max(frontier, finished.at(-1)?.[1] ?? 0),
        );
        await this.look();
        if (ended || batch.atEnd) break;
        await turn();
      }
    }
    return rows;
  }

  #apply(rows: Map<string, unknown>, record: LogRecord, wanted: (id: string) => boolean): void {
    const amended = this.#amendments.apply(record);
    const contract = this.#verifying.contracts.get(record.type);
    if (amended === undefined || contract === undefined) return;
    const event = receive(amended, { contract });
    const { rows: made } = this.#verifying;
    try {
      for (const id of made.ids(event)) {
        if (!wanted(id)) continue;
        const next = made.next(rows.get(id), event);
        if (next === undefined) rows.delete(id);
        else rows.set(id, JSON.parse(JSON.stringify(next)));
      }
    } catch (cause) {
      throw new Failure(
        "CONFLICT",
        `${buildConsumer(this.#verifying.build)}: its rows hold ${record.type} ${record.id} (${placeOf(record)}), and its fold fails on it today: ${describeError(cause).message}; has it changed without its version?`,
        { cause, details: { event: record.id } },
      );
    }
  }
}

function placeOf({ topic, partition, offset }: LogRecord): string {
  return `${topic}/${partition}/${offset}`;
}

/** Handlers run in this process, too. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
