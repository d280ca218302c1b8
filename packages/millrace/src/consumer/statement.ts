import { Failure } from "../failure/failure.js";
import type { SqlStatement, SqlValue } from "../store/unit.js";
import type { SqlInput } from "./handler.js";

/** Texts that were checked: a template is the same object each time its line of code runs. */
const checked = new WeakMap<TemplateStringsArray, string>();

/**
 * A template as a statement with parameters: values never become SQL.
 *
 * @throws {Failure} OPTION_INVALID when it is another kind of statement, more than one, or about Millrace's own tables.
 */
export function sqlStatement(strings: TemplateStringsArray, values: readonly SqlInput[]): SqlStatement {
  let text = checked.get(strings);
  if (text === undefined) {
    text = checkedText(strings.join("?").trim());
    checked.set(strings, text);
  }
  return { text, params: values.map(sqlValue), rows: undefined };
}

function checkedText(text: string): string {
  if (!/^(insert|update|delete|replace|with)\b/i.test(text))
    throw new Failure(
      "OPTION_INVALID",
      `ctx.sql takes INSERT, UPDATE, DELETE, REPLACE or WITH, not: ${text.slice(0, 60)}`,
    );
  if (/\bmr_/i.test(text))
    throw new Failure("OPTION_INVALID", `ctx.sql may not touch Millrace's own tables (mr_…): ${text.slice(0, 60)}`);
  // SQLite compiles the first statement and leaves out the rest without a word.
  if (/;\s*\S/.test(text.replace(quoted, "")))
    throw new Failure("OPTION_INVALID", `ctx.sql takes one statement at a time: ${text.slice(0, 60)}`);
  return text;
}

/** What may hold a semicolon that ends nothing: texts, quoted names, comments. */
const quoted = /'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|\/\*[\s\S]*?\*\//g;

/** Booleans are stored as 0 and 1, dates as ISO 8601 text in UTC. */
export function sqlValue(value: SqlInput): SqlValue {
  if (typeof value === "boolean") return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  return value;
}
