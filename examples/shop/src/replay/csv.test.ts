import { describe, expect, it } from "vitest";
import { csvRecords } from "./csv.js";

async function parse(text: string, chunkUnits = text.length): Promise<(readonly string[])[]> {
  async function* chunks() {
    for (let at = 0; at < text.length; at += chunkUnits) yield text.slice(at, at + chunkUnits);
  }
  const records: (readonly string[])[] = [];
  for await (const record of csvRecords(chunks())) records.push(record);
  return records;
}

const samples: readonly (readonly [text: string, records: string[][]])[] = [
  [
    "a,b\n1,2\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "a,b\r\n1,2\r\n",
    [
      ["a", "b"],
      ["1", "2"],
    ],
  ],
  [
    "a,b\n1,",
    [
      ["a", "b"],
      ["1", ""],
    ],
  ],
  ["\n\na\n\n", [["a"]]],
  ['"a,b",c\n', [["a,b", "c"]]],
  [
    'x,"LETTER ""D"" RING"\ny,2\n',
    [
      ["x", 'LETTER "D" RING'],
      ["y", "2"],
    ],
  ],
  [
    '"two\nlines",1\n"",2\n',
    [
      ["two\nlines", "1"],
      ["", "2"],
    ],
  ],
  ['"a\r\nb"\r\nc\r\n', [["a\r\nb"], ["c"]]],
  [
    '7" FRAME,1\n8" FRAME,"2"\n',
    [
      ['7" FRAME', "1"],
      ['8" FRAME', "2"],
    ],
  ],
  ['"""",""""""\n', [['"', '""']]],
  [",,\n", [["", "", ""]]],
];

describe("csvRecords", () => {
  it.each(samples)("reads %j", async (text, records) => {
    expect(await parse(text)).toEqual(records);
  });

  it.each(samples)("reads %j alike, however it arrives", async (text, records) => {
    for (let units = 1; units < text.length; units += 1) expect(await parse(text, units)).toEqual(records);
  });

  it("refuses a quote that is not closed, without reading on for ever", async () => {
    await expect(parse('a\n"b,c\n')).rejects.toThrow(/record 2: a quoted field is not closed/);
    await expect(parse(`"${"x,\n".repeat(500_000)}`, 65_536)).rejects.toThrow(/record 1 is too long/);
  });

  it("refuses text behind a closing quote", async () => {
    await expect(parse('"a"b,c\n')).rejects.toThrow(/record 1: text follows a closing quote/);
  });
});
