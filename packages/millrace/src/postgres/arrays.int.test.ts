import { afterAll, describe, expect, it } from "vitest";
import { trialDatabase } from "../testing/trial-database.js";
import { trialPool } from "../testing/trial-store.js";
import { textArray, writtenTextArray } from "./arrays.js";

const database = await trialDatabase();

if (database === undefined) console.info("skipped: arrays as PostgreSQL reads them, there is none");
describe.skipIf(database === undefined)("texts as one parameter", () => {
  const pool = trialPool(database?.url ?? "");
  afterAll(async () => {
    await pool.end();
    await database?.drop();
  });

  async function read(parameter: string | Buffer): Promise<readonly (string | null)[]> {
    const sql = "SELECT text FROM unnest($1::text[]) WITH ORDINALITY AS w(text, n) ORDER BY n";
    const { rows } = await pool.query<{ text: string | null }>(sql, [parameter]);
    return rows.map(({ text }) => text);
  }

  const odd = [
    ...[
      "",
      " ",
      "a,b",
      "{}",
      '{"a":["\\"quoted\\""]}',
      "\\",
      '"',
      "NULL",
      "null",
      "tab\there",
      "line\r\nbreak",
      "\u0001",
    ],
    ...["Grüße", "日本語", "👩🏽‍🚀", "\u2028", "e\u0301", "x".repeat(100_000), "€".repeat(100_000)],
  ];

  it("are what they were, in their order", async () => {
    expect(await read(textArray(odd))).toEqual(odd);
    expect(await read(writtenTextArray(odd))).toEqual(odd);
  });

  it("may be absent, or none at all", async () => {
    expect(await read(textArray([null, "a", null, "", null]))).toEqual([null, "a", null, "", null]);
    expect(await read(textArray([]))).toEqual([]);
    expect(await read(writtenTextArray([]))).toEqual([]);
  });

  it("lose halves of surrogate pairs, which no text of PostgreSQL has, alike", async () => {
    const halves = ["a\ud800b", "\udfff", '"\ud83d'];
    const replaced = ["a\ufffdb", "\ufffd", '"\ufffd'];
    expect(await read(textArray(halves))).toEqual(replaced);
    expect(await read(writtenTextArray(halves))).toEqual(replaced);
  });

  it("are refused alike when they hold the character zero", async () => {
    for (const parameter of [textArray(["a", "b\0c"]), writtenTextArray(["a", "b\0c"])])
      await expect(read(parameter)).rejects.toMatchObject({ code: "22021" });
  });
});
