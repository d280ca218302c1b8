import { Failure } from "../failure/failure.js";

/** A piece of SQL text. Comments and white space are none. */
export interface SqlToken {
  /** text: '…' · name: quoted in any of SQLite's ways · parameter: ?, ?1, :a, @a, $a · mark: any other character. */
  readonly type: "word" | "name" | "text" | "parameter" | "mark";
  /** As written; of a quoted name, what is between its quotes. */
  readonly text: string;
}

// As in SQLite's tokenize.c: a comment may lack its end, and words take every character over U+007F. "::" is PostgreSQL's.
const grammar =
  /(?<comment>--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\s+)|(?<text>'(?:[^']|'')*')|"(?<double>(?:[^"]|"")*)"|`(?<back>(?:[^`]|``)*)`|\[(?<bracket>[^\]]*)\]|::|(?<parameter>\?\d*|[:@$][\w$\x80-\uffff]+)|(?<word>[\w$\x80-\uffff]+)|[\s\S]/g;

/** The tokens of SQL in SQLite's dialect: what is in quotes or comments is never taken for something else. */
export function sqlTokens(sql: string): readonly SqlToken[] {
  const tokens: SqlToken[] = [];
  for (const match of sql.matchAll(grammar)) {
    const { comment, text, double, back, bracket, parameter, word } = match.groups ?? {};
    const name = double ?? back ?? bracket;
    if (comment !== undefined) continue;
    if (text !== undefined) tokens.push({ type: "text", text });
    else if (name !== undefined) tokens.push({ type: "name", text: name });
    else if (parameter !== undefined) tokens.push({ type: "parameter", text: parameter });
    else if (word !== undefined) tokens.push({ type: "word", text: word });
    else tokens.push({ type: "mark", text: match[0] });
  }
  return tokens;
}

/** The first name that only the engine may use: tables of Millrace, and those in which SQLite keeps its own facts. */
export function reservedName(tokens: readonly SqlToken[]): string | undefined {
  for (const [at, { type, text }] of tokens.entries()) {
    const name = type === "text" && namesTable(tokens[at - 1]) ? text.slice(1, -1) : text;
    if ((type === "word" || type === "name" || name !== text) && reserved.test(name)) return name;
  }
  return undefined;
}

/**
 * Refuses SQL that names what only the engine may use.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function refuseReserved(sql: string, where: string): void {
  const name = reservedName(sqlTokens(sql));
  if (name !== undefined)
    throw new Failure("OPTION_INVALID", `${where}: ${name} is Millrace's own (mr_…) or SQLite's; use another name`);
}

const reserved = /^(mr_|sqlite_(temp_)?(master|schema|sequence|stat\d)$)/i;

/** SQLite takes a text for a name where only a name can stand. */
function namesTable(before: SqlToken | undefined): boolean {
  return before !== undefined && (before.text === "." || (before.type === "word" && beforeTable.test(before.text)));
}

const beforeTable = /^(into|from|update|join|table|index|on|exists|rollback|abort|replace|fail|ignore)$/i;
