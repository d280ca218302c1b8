import { type Figure, text } from "./figure.js";

const columns = ["name", "value", "unit", "ceiling", "ratio", "target", "ok"] as const;
const toTheRight: ReadonlySet<string> = new Set(["value", "ceiling", "ratio"]);

/** The figures for people. */
export function table(figures: readonly Figure[]): string {
  const rows = [columns as readonly string[], ...figures.map(cells)];
  const widths = columns.map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  const lines = rows.map((row) => row.map((cell, column) => aligned(cell, column, widths[column] ?? 0)).join("  "));
  lines.splice(1, 0, widths.map((width) => "─".repeat(width)).join("  "));
  return `${lines.map((line) => line.trimEnd()).join("\n")}\n`;
}

function cells(figure: Figure): readonly string[] {
  const number = (value: number | null) => (value === null ? "" : text(value));
  const ok = figure.ok === null ? "" : figure.ok ? "yes" : "no";
  return [
    figure.name,
    number(figure.value),
    figure.unit,
    number(figure.ceiling),
    number(figure.ratio),
    figure.target ?? "",
    ok,
  ];
}

function aligned(cell: string, column: number, width: number): string {
  return toTheRight.has(columns[column] ?? "") ? cell.padStart(width) : cell.padEnd(width);
}
