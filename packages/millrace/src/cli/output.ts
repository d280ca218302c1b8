import type { Origin } from "../admin/admin.js";
import { Failure } from "../failure/failure.js";
import { safe, shorten, timeOfDay } from "./text.js";

/** How data is printed. */
export type Format = "table" | "json" | "jsonl";

/** A column of a table: its heading, and its text for a row. */
export interface Column<Row> {
  readonly name: string;
  text(row: Row): string;
}

/** What the command line writes: data to standard output, everything else to standard error. */
export interface Output {
  readonly format: Format;
  line(text: string): void;
  note(text: string): void;
  paint(color: Color, text: string): string;
}

const colors = { red: 31, green: 32, yellow: 33, grey: 90, bold: 1 } as const;

/** A colour, or bold. */
export type Color = keyof typeof colors;

/** Writes to this process's streams; in colour only on a terminal, and never with NO_COLOR. */
export function openOutput(format: Format): Output {
  const colorful = process.stdout.isTTY === true && !process.env.NO_COLOR;
  return {
    format,
    line: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    paint: (color, text) => (colorful ? `\u001b[${colors[color]}m${text}\u001b[0m` : text),
  };
}

/** @throws {Failure} OPTION_INVALID */
export function readFormat(value: string): Format {
  if (value === "table" || value === "json" || value === "jsonl") return value;
  throw new Failure("OPTION_INVALID", `--output is ${JSON.stringify(value)}; write table, json or jsonl`, {
    details: { option: "--output" },
  });
}

/** Prints a list: as a table, as one JSON value (`answer`), or a row of JSON a line. */
export function printRows<Row>(
  output: Output,
  list: {
    readonly answer: unknown;
    readonly rows: readonly Row[];
    readonly columns: readonly Column<Row>[];
    readonly none: string;
  },
): void {
  const { answer, rows, columns, none } = list;
  if (output.format === "json") output.line(JSON.stringify(answer, undefined, 2));
  else if (output.format === "jsonl") for (const row of rows) output.line(JSON.stringify(row));
  else if (rows.length === 0) output.note(none);
  else for (const line of tableOf(rows, columns)) output.line(line);
}

/** Prints one thing: as text that `draw` makes, or as JSON. */
export function printOne(output: Output, value: unknown, draw: () => readonly string[]): void {
  if (output.format === "json") output.line(JSON.stringify(value, undefined, 2));
  else if (output.format === "jsonl") output.line(JSON.stringify(value));
  else for (const line of draw()) output.line(line);
}

const sources = {
  process: "from the running process",
  file: "from the file; no process runs",
  servers: "from the servers; no process answers here",
} as const;

/** Says where the data comes from and of when it is. JSON has both in itself. */
export function noteOrigin(output: Output, { from, asOf }: Origin): void {
  if (output.format !== "table") return;
  output.note(output.paint("grey", `as of ${timeOfDay(asOf)} UTC, ${sources[from]}`));
}

/** Cells are as wide as the widest of their column, and the widest columns are cut to fit the terminal when there is one. */
function tableOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): readonly string[] {
  const cells = [
    columns.map((column) => column.name),
    ...rows.map((row) => columns.map((column) => safe(column.text(row)))),
  ];
  const edge = edgeOf();
  const widest = columns.map((_, index) =>
    cells.reduce((max, line) => Math.max(max, (line[index] as string).length), 0),
  );
  const widths = within(edge, widest);
  return cells.map((line) => {
    const padded = line.map((cell, index) => {
      const width = widths[index] as number;
      return shorten(cell, width).padEnd(width);
    });
    return shorten(padded.join("  ").trimEnd(), edge);
  });
}

/** How many characters a line may have: as many as the terminal has, or as COLUMNS says of one that is not ours. */
function edgeOf(): number {
  // A terminal that does not know its width says 0.
  if (process.stdout.isTTY === true) return process.stdout.columns || Number.POSITIVE_INFINITY;
  const told = Number(process.env.COLUMNS);
  return Number.isInteger(told) && told > 0 ? told : Number.POSITIVE_INFINITY;
}

const cellMin = 8;

/** Takes from the widest column, character by character, until all fit or none has any to spare. */
function within(edge: number, widths: readonly number[]): readonly number[] {
  const fitting = [...widths];
  let over = fitting.reduce((sum, width) => sum + width + 2, -2) - edge;
  for (; over > 0; over -= 1) {
    const widest = Math.max(...fitting);
    if (widest <= cellMin) break;
    fitting[fitting.indexOf(widest)] = widest - 1;
  }
  return fitting;
}
