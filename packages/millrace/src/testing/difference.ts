import { changesBetween } from "../aggregate/changes.js";
import type { Message } from "../contract/contract.js";

const widthMax = 200;

/** What differs, a line for each value: where, what was expected, what it is. */
export function difference(expected: unknown, actual: unknown): string {
  const lines = changesBetween(expected, actual).map(({ path, from, to }) => {
    const where = path === "" ? "" : `${path}: `;
    if (from === undefined) return `${where}${shown(to)} is there, and was not expected`;
    return to === undefined
      ? `${where}${shown(from)} is missing`
      : `${where}${shown(from)} was expected, it is ${shown(to)}`;
  });
  return lines.map((line) => `      ${line}`).join("\n");
}

/** A message on one line. */
export function messageLine(message: Message<string, unknown> | undefined): string {
  return message === undefined ? "" : `${message.type} ${shown(message.data)}`;
}

/** A value as JSON on one line, cut when it is long. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length <= widthMax ? text : `${text.slice(0, widthMax - 1)}…`;
}
