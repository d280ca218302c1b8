import { Failure } from "../failure/failure.js";
import { reservedName, type SqlToken, sqlTokens } from "../store/sql.js";
import type { SqlStatement, SqlValue } from "../store/unit.js";
import { blameEvent } from "./blame.js";
import type { SqlInput } from "./handler.js";

/** Texts that were checked: a template is the same object each time its line of code runs. */
const checked = new WeakMap<TemplateStringsArray, string>();

/**
 * A template as a statement with parameters: values never become SQL.
 *
 * @throws {Failure} OPTION_INVALID when it is another kind of statement, more than one, or about Millrace's own tables;
 * EVENT_REJECTED when a value is none that SQLite can store.
 */
export function sqlStatement(strings: TemplateStringsArray, values: readonly SqlInput[]): SqlStatement {
  let text = checked.get(strings);
  if (text === undefined) {
    text = strings.join("?").trim();
    const tokens = sqlTokens(text);
    checkStatement(text, tokens);
    checkParameters(text, tokens, strings.length - 1);
    checked.set(strings, text);
  }
  return { text, params: blameEvent(() => values.map(sqlValue)), rows: undefined };
}

/**
 * A template as a query with parameters.
 *
 * @throws {Failure} OPTION_INVALID when it is another kind of statement, or more than one; when a value is none that
 * SQLite knows, or stands inside quotes.
 */
export function sqlQuery(
  strings: TemplateStringsArray,
  values: readonly SqlInput[],
): Pick<SqlStatement, "text" | "params"> {
  const text = strings.join("?").trim();
  const tokens = sqlTokens(text);
  if (!reads.test(verbOf(tokens)))
    throw new Failure(
      "OPTION_INVALID",
      `app.query only reads (SELECT, WITH, VALUES), not: ${text.slice(0, 60)}; write with ctx.sql in a handler`,
    );
  refuseMore(text, tokens);
  checkParameters(text, tokens, strings.length - 1);
  return { text, params: values.map(sqlValue) };
}

function checkStatement(text: string, tokens: readonly SqlToken[]): void {
  if (!writes.test(verbOf(tokens)))
    throw invalid("takes INSERT, UPDATE, DELETE, REPLACE, or WITH before one of them, not", text);
  if (reservedName(tokens) !== undefined)
    throw invalid("may not touch Millrace's own tables (mr_…), nor SQLite's (sqlite_…)", text);
  refuseMore(text, tokens);
}

/** SQLite compiles the first statement and leaves out the rest without a word. */
function refuseMore(text: string, tokens: readonly SqlToken[]): void {
  const end = tokens.findIndex((token) => token.text === ";" && token.type === "mark");
  if (end >= 0 && end < tokens.length - 1) throw invalid("takes one statement at a time", text);
}

const writes = /^(insert|update|delete|replace)$/i;
const reads = /^(select|values|explain)$/i;

/** The word that says what a statement does; after WITH and its tables in parentheses, too. */
function verbOf(tokens: readonly SqlToken[]): string {
  const [first] = tokens;
  if (first?.type !== "word" || !/^with$/i.test(first.text)) return first?.type === "word" ? first.text : "";
  let depth = 0;
  for (const { type, text } of tokens) {
    if (type === "mark") depth += text === "(" ? 1 : text === ")" ? -1 : 0;
    else if (type === "word" && depth === 0 && /^(insert|update|delete|replace|select|values)$/i.test(text))
      return text;
  }
  return "";
}

/** Only the values of the template are parameters: SQLite would bind others to nothing, or to the wrong value. */
function checkParameters(text: string, tokens: readonly SqlToken[], values: number): void {
  const parameters = tokens.filter((token) => token.type === "parameter");
  if (parameters.every((token) => token.text === "?") && parameters.length === values) return;
  throw invalid(
    `has ${values} values and ${parameters.length} parameters (${parameters.map((token) => token.text).join(" ")}); ` +
      // biome-ignore lint/suspicious/noTemplateCurlyInString: it is shown to the user
      "write each value as ${value}, outside quotes and comments, and no other parameter",
    text,
  );
}

function invalid(problem: string, text: string): Failure {
  return new Failure("OPTION_INVALID", `sql ${problem}: ${text.slice(0, 60)}`);
}

/** Booleans are stored as 0 and 1, dates as ISO 8601 text in UTC. */
function sqlValue(value: SqlInput, index: number): SqlValue {
  switch (typeof value) {
    case "string":
      return value;
    case "boolean":
      return value ? 1 : 0;
    case "number":
      if (Number.isFinite(value)) return value;
      throw unfit(index, `${value}`, "give a finite number, or null");
    case "bigint":
      if (BigInt.asIntN(64, value) === value) return value;
      throw unfit(index, "a bigint of more than 64 bits", "give it as text");
    default:
      return objectValue(value, index);
  }
}

function objectValue(value: unknown, index: number): SqlValue {
  if (value === null || value instanceof Uint8Array) return value;
  if (value === undefined) throw unfit(index, "undefined", "give null");
  if (!(value instanceof Date)) {
    const kind = typeof value === "object" ? (Array.isArray(value) ? "a list" : "an object") : `a ${typeof value}`;
    throw unfit(index, kind, "give its JSON.stringify, or one of its fields");
  }
  if (Number.isNaN(value.getTime())) throw unfit(index, "an invalid date", "give a valid one, or null");
  return value.toISOString();
}

function unfit(index: number, what: string, fix: string): Failure {
  return new Failure("OPTION_INVALID", `sql: value ${index + 1} is ${what}, which SQLite cannot store; ${fix}`);
}
