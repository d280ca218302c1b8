import type { Clock } from "../runtime/clock.js";
import { type Build, buildLabel } from "../store/builds.js";
import type { Store } from "../store/store.js";
import { canonicalText } from "./checksum.js";

/** A row that two builds do not have alike. Undefined: there is none. */
export interface RowPair {
  readonly id: string;
  readonly one: unknown;
  readonly other: unknown;
}

/** What two builds have alike, and what not. */
export interface Compared {
  readonly rows: readonly [one: number, other: number];
  readonly equal: number;
  readonly onlyOne: number;
  readonly onlyOther: number;
  readonly different: number;
  /** The first of those that are not alike. */
  readonly first: readonly RowPair[];
}

/** What is compared. */
export interface Comparing {
  readonly store: Store;
  readonly clock: Clock;
  readonly one: Build;
  readonly other: Build;
}

const shownMax = 10;
const pageRows = 500;
/** Rows that differ are looked at again: the two builds may have been at different places. */
const looks = 4;
const lookMs = 50;
const doubtfulMax = 5_000;

/** Compares two builds row by row, as they are now. */
export async function compareBuilds(comparing: Comparing): Promise<Compared> {
  const { store, one, other } = comparing;
  const [ones, others] = [new Walk(store, one), new Walk(store, other)];
  const doubtful: string[] = [];
  const counts = { rows: [0, 0] as [number, number], equal: 0, onlyOne: 0, onlyOther: 0, different: 0 };
  const first: RowPair[] = [];
  const judge = ({ id, one, other }: RowPair) => {
    if (one === undefined) counts.onlyOther += 1;
    else if (other === undefined) counts.onlyOne += 1;
    else counts.different += 1;
    if (first.length < shownMax) first.push({ id, one, other });
  };
  let [a, b] = [await ones.next(), await others.next()];
  while (a !== undefined || b !== undefined) {
    const id = a === undefined || (b !== undefined && byId(b.id, a.id) < 0) ? (b as Stored).id : a.id;
    const pair = { id, one: a?.id === id ? a.row : undefined, other: b?.id === id ? b.row : undefined };
    if (pair.one !== undefined) counts.rows[0] += 1;
    if (pair.other !== undefined) counts.rows[1] += 1;
    if (alike(pair)) counts.equal += 1;
    else if (doubtful.length < doubtfulMax) doubtful.push(id);
    else judge(pair);
    if (pair.one !== undefined) a = await ones.next();
    if (pair.other !== undefined) b = await others.next();
  }
  const different = await lookAgain(comparing, doubtful);
  counts.equal += doubtful.length - different.length;
  for (const pair of different) judge(pair);
  return { ...counts, first };
}

/** As SQLite orders texts: by bytes. */
function byId(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function alike({ one, other }: RowPair): boolean {
  if (one === undefined || other === undefined) return one === other;
  return canonicalText(one) === canonicalText(other);
}

/** Those that are still not alike after a few looks, at all of them each time: many may differ for good. */
async function lookAgain(comparing: Comparing, ids: readonly string[]): Promise<readonly RowPair[]> {
  let different = await unlike(comparing, ids);
  for (let look = 1; look < looks && different.length > 0; look += 1) {
    await new Promise<void>((resolve) => comparing.clock.after(lookMs, resolve));
    different = await unlike(
      comparing,
      different.map(({ id }) => id),
    );
  }
  return different;
}

/** Those of some rows that are not alike now. */
async function unlike({ store, one, other }: Comparing, ids: readonly string[]): Promise<readonly RowPair[]> {
  const found: RowPair[] = [];
  for (const [at, id] of ids.entries()) {
    const [a, b] = [
      await store.readDocument(one.service, buildLabel(one), id),
      await store.readDocument(other.service, buildLabel(other), id),
    ];
    const pair = { id, one: a && JSON.parse(a.text), other: b && JSON.parse(b.text) };
    if (!alike(pair)) found.push(pair);
    if (at % pageRows === pageRows - 1) await turn();
  }
  return found;
}

/** Handlers run in this process, too. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

interface Stored {
  readonly id: string;
  readonly row: unknown;
}

/** The rows of one build, by id. */
class Walk {
  readonly #store: Store;
  readonly #build: Build;
  #page: readonly Stored[] = [];
  #at = 0;
  #ended = false;

  constructor(store: Store, build: Build) {
    this.#store = store;
    this.#build = build;
  }

  async next(): Promise<Stored | undefined> {
    if (this.#at === this.#page.length && !this.#ended) await this.#read();
    const found = this.#page[this.#at];
    this.#at += 1;
    return found;
  }

  async #read(): Promise<void> {
    const last = this.#page.at(-1);
    const page = await this.#store.findDocuments({
      ...{ service: this.#build.service, type: buildLabel(this.#build), where: [], limit: pageRows },
      after: last === undefined ? undefined : { value: null, id: last.id },
    });
    this.#ended = page.length < pageRows;
    this.#page = page.map(({ id, text }) => ({ id, row: JSON.parse(text) as unknown }));
    this.#at = 0;
    await turn();
  }
}
