import { describeError, Failure } from "../failure/failure.js";
import { type Build, buildConsumer, tablePrefix } from "../store/builds.js";
import type { Compared, Comparing, RowPair } from "./compare.js";

const shownMax = 10;
/** Tables that differ are looked at again: the two builds may have been at different places. */
const looks = 4;
const lookMs = 50;

/**
 * Compares two builds whose rows are in tables of their own, as they are now: which whole rows the one has and the other has
 * not. A row that is different in one column is one that either lacks.
 *
 * @throws {Failure} CONFLICT when their tables have other columns: versions that are not made to be compared.
 */
export async function compareTables(comparing: Comparing, tables: readonly string[]): Promise<Compared> {
  let found = await compareOnce(comparing, tables);
  for (let look = 1; look < looks && found.onlyOne + found.onlyOther > 0; look += 1) {
    await new Promise<void>((resolve) => comparing.clock.after(lookMs, resolve));
    found = await compareOnce(comparing, tables);
  }
  return found;
}

async function compareOnce(comparing: Comparing, tables: readonly string[]): Promise<Compared> {
  const { one, other } = comparing;
  const counts = { rows: [0, 0] as [number, number], equal: 0, onlyOne: 0, onlyOther: 0, different: 0 };
  const first: RowPair[] = [];
  for (const table of tables) {
    const [ours, theirs] = [tableOf(one, table), tableOf(other, table)];
    const [n, m] = [await count(comparing, ours), await count(comparing, theirs)];
    const [only, onlyThere] = [await missing(comparing, ours, theirs), await missing(comparing, theirs, ours)];
    counts.rows = [counts.rows[0] + n, counts.rows[1] + m];
    counts.equal += n - only.count;
    counts.onlyOne += only.count;
    counts.onlyOther += onlyThere.count;
    first.push(...only.first.map((row) => ({ id: table, one: row, other: undefined })));
    first.push(...onlyThere.first.map((row) => ({ id: table, one: undefined, other: row })));
    // Rows that are there several times are equal to each other: how many there are tells.
    if (only.count + onlyThere.count === 0 && n !== m) counts[n > m ? "onlyOne" : "onlyOther"] += Math.abs(n - m);
  }
  return { ...counts, first: first.slice(0, shownMax) };
}

function tableOf(build: Build, table: string): string {
  return `"${tablePrefix(build)}${table}"`;
}

async function count({ store }: Comparing, table: string): Promise<number> {
  const [row] = await store.query(`SELECT count(*) AS n FROM ${table}`, []);
  return Number(row?.n);
}

async function missing({ store, one, other }: Comparing, from: string, among: string) {
  const rows = `SELECT * FROM ${from} EXCEPT SELECT * FROM ${among}`;
  try {
    const [found] = await store.query(`SELECT count(*) AS n FROM (${rows})`, []);
    const n = Number(found?.n);
    return { count: n, first: n === 0 ? [] : await store.query(`SELECT * FROM (${rows}) LIMIT ${shownMax}`, []) };
  } catch (cause) {
    throw new Failure(
      "CONFLICT",
      `${buildConsumer(one)} and ${buildConsumer(other)} cannot be compared: ${describeError(cause).message}; look with app.query`,
      { cause },
    );
  }
}
