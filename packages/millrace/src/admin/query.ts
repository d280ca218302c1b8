import { Failure } from "../failure/failure.js";
import { type Duration, durationMs } from "../runtime/duration.js";
import type { EventQuery } from "../store/inspect.js";

/** The conditions of a query, without paging. */
export type Conditions = Omit<EventQuery, "limit" | "after" | "newestFirst">;

type DataCondition = NonNullable<EventQuery["data"]>[number];

/**
 * Reads what people type to find events. All terms must hold.
 *
 * ```text
 * query = *( term SP )
 * term  = ( "type" / "topic" / "key" / "source" / "corr" ) ":" value
 *       / ( "since" / "until" ) ":" ( duration / ISO time )         ; 1h = an hour ago
 *       / "data." path ( "=" / ":" / ">" / "<" / ">=" / "<=" ) value
 * value = 1*( any but SP ) / DQUOTE *( any but DQUOTE ) DQUOTE
 * ```
 *
 * @throws {Failure} OPTION_INVALID naming the term.
 */
export function parseQuery(text: string, now: number): Conditions {
  const conditions: { -readonly [K in keyof Conditions]: Conditions[K] } = {};
  const data: DataCondition[] = [];
  for (const term of termsOf(text)) {
    if (term.startsWith("data.")) {
      data.push(dataCondition(term));
      continue;
    }
    const colon = term.indexOf(":");
    const name = term.slice(0, Math.max(0, colon));
    const value = unquote(term.slice(colon + 1), term);
    if (name === "type" || name === "topic" || name === "key" || name === "source") conditions[name] = value;
    else if (name === "corr") conditions.correlationId = value;
    else if (name === "since" || name === "until") conditions[name] = moment(value, { now, term });
    else
      throw invalid(term, "is not a condition; use type: topic: key: source: corr: since: until: or data.path=value");
  }
  return data.length === 0 ? conditions : { ...conditions, data };
}

/** Splits at spaces outside of quotes. */
function termsOf(text: string): readonly string[] {
  return text.match(/(?:"[^"]*"|[^\s"])+/g) ?? [];
}

function dataCondition(term: string): DataCondition {
  const [, path, sign, value] = /^data\.([^=:<>]+)(>=|<=|=|:|>|<)(.+)$/s.exec(term) ?? [];
  if (path === undefined || sign === undefined || value === undefined) {
    throw invalid(term, "compares nothing; write it like data.totalPence>5000");
  }
  const op = sign === ":" ? "=" : (sign as DataCondition["op"]);
  return { path, op, value: unquote(value, term) };
}

function unquote(value: string, term: string): string {
  const plain = value.replaceAll('"', "");
  if (plain === "") throw invalid(term, "has no value");
  return plain;
}

function moment(value: string, context: { now: number; term: string }): number {
  if (/^\d+(\.\d+)?(ms|s|m|h|d)$/.test(value)) return context.now - durationMs(value as Duration, context.term);
  const ms = /^\d{4}-\d\d-\d\d/.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw invalid(context.term, "is not a time; write 30m, 1h, 7d, or 2026-01-31T12:00:00Z");
  return ms;
}

function invalid(term: string, problem: string): Failure {
  return new Failure("OPTION_INVALID", `${JSON.stringify(term.slice(0, 80))} ${problem}`, {
    details: { option: "query" },
  });
}
