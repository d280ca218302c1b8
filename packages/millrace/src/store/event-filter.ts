import type { LogRecord } from "../log/log.js";
import type { EventQuery } from "./inspect.js";

/** Tests a query's conditions but topic and time: first on a block's raw text, which is cheap, then on its records. */
export interface EventFilter {
  /** False when no record of this text can match. */
  mayMatch(body: string): boolean;
  matches(record: LogRecord): boolean;
}

type Condition = NonNullable<EventQuery["data"]>[number];

/** Compiles the conditions of a query. */
export function eventFilter(query: EventQuery): EventFilter {
  const { type, key, source, correlationId, data = [] } = query;
  const prefix = type?.endsWith("*") ? type.slice(0, -1) : undefined;
  // Lines quote these as JSON.stringify does (see block.ts), so that the text is found as it stands.
  const needles = [key, source, correlationId, prefix === undefined ? type : undefined]
    .filter((text) => text !== undefined)
    .map((text) => JSON.stringify(text));
  if (prefix !== undefined) needles.push(JSON.stringify(prefix).slice(0, -1));
  const words = data.filter(isWord).map((condition) => condition.value);
  return {
    mayMatch: (body) =>
      needles.every((needle) => body.includes(needle)) &&
      // Foreign JSON may spell a character as \uXXXX.
      (words.every((word) => body.includes(word)) || body.includes("\\u")),
    matches: (record) =>
      (prefix === undefined ? type === undefined || record.type === type : record.type.startsWith(prefix)) &&
      (key === undefined || record.key === key) &&
      (source === undefined || record.source === source) &&
      (correlationId === undefined || record.correlationId === correlationId) &&
      data.every((condition) => holds(condition, record.data)),
  };
}

/** A value whose JSON has it as it is; numbers may be spelled in many ways. */
function isWord(condition: Condition): boolean {
  return condition.op === "=" && /^[A-Za-z][\w .:@-]*$/.test(condition.value);
}

function holds({ path, op, value }: Condition, data: unknown): boolean {
  const found = valueAt(data, path);
  if (found === undefined) return false;
  const text = typeof found === "object" ? JSON.stringify(found) : String(found);
  if (op === "=") return text === value;
  const order = compare(text, value);
  if (op === ">") return order > 0;
  if (op === "<") return order < 0;
  return op === ">=" ? order >= 0 : order <= 0;
}

/** As numbers when both are, else as text. */
function compare(a: string, b: string): number {
  const x = a.trim() === "" ? Number.NaN : Number(a);
  const y = b.trim() === "" ? Number.NaN : Number(b);
  if (!Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Own properties only: `constructor` is not part of anybody's data. */
function valueAt(data: unknown, path: string): unknown {
  let at = data;
  for (const name of path.split(".")) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}

/** All conditions of a query, those on place and time too; `undefined` has none. */
export function recordFilter(query: Omit<EventQuery, "limit"> | undefined): (record: LogRecord) => boolean {
  if (query === undefined) return () => true;
  const filter = eventFilter({ ...query, limit: 0 });
  const { topic, since = Number.NEGATIVE_INFINITY, until = Number.POSITIVE_INFINITY } = query;
  return (record) =>
    (topic === undefined || record.topic === topic) &&
    record.appended >= since &&
    record.appended < until &&
    filter.matches(record);
}
