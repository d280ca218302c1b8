/** A record longer than this is a quote that was never closed: read on, and the whole file would be in memory. */
const recordUnitsMax = 1_048_576;

/**
 * Splits CSV text (RFC 4180) into records as the text arrives, in constant memory.
 *
 * ```
 * record = field *(COMMA field)      field = (escaped / non-escaped)
 * escaped = DQUOTE *(TEXTDATA / COMMA / CR / LF / 2DQUOTE) DQUOTE
 * ```
 *
 * A quoted field may hold commas, line ends and doubled quotes; a quote inside of an unquoted field is a quote. Records
 * end with LF or CRLF. Empty lines are passed over.
 *
 * @throws {SyntaxError} with the record's number when a quoted field is not closed, or text follows its closing quote.
 */
export async function* csvRecords(chunks: AsyncIterable<string>): AsyncGenerator<readonly string[]> {
  let rest = "";
  let number = 1;
  for await (const chunk of chunks) {
    rest += chunk;
    let start = 0;
    let quote = next(rest, '"', 0);
    for (;;) {
      if (quote < start) quote = next(rest, '"', start);
      const end = quote < next(rest, "\n", start) ? endOfQuotedRecord(rest, start, quote) : next(rest, "\n", start);
      if (end === Number.POSITIVE_INFINITY) break;
      const text = rest.slice(start, rest[end - 1] === "\r" ? end - 1 : end);
      if (text !== "") yield fields(text, number);
      number += 1;
      start = end + 1;
    }
    rest = rest.slice(start);
    if (rest.length > recordUnitsMax) throw new SyntaxError(`record ${number} is too long; is a quote not closed?`);
  }
  rest = rest.replace(/\r$/, "");
  if (rest !== "") yield fields(rest, number);
}

/** Where the next one is; beyond the end when there is none. */
function next(text: string, what: string, from: number): number {
  const at = text.indexOf(what, from);
  return at === -1 ? Number.POSITIVE_INFINITY : at;
}

/** The LF that ends a record with quotes in it: one between quotes ends nothing. */
function endOfQuotedRecord(text: string, start: number, firstQuote: number): number {
  let end = next(text, "\n", start);
  for (let quote = firstQuote; quote < end; ) {
    const opens = quote === start || text[quote - 1] === ",";
    const closed = opens ? closingQuote(text, quote) : quote;
    if (closed > end) end = next(text, "\n", closed);
    quote = next(text, '"', closed + 1);
  }
  return end;
}

/** The quote that closes the field opened at `open`: one that is not doubled. */
function closingQuote(text: string, open: number): number {
  let at = next(text, '"', open + 1);
  while (text[at + 1] === '"') at = next(text, '"', at + 2);
  return at;
}

function fields(record: string, number: number): readonly string[] {
  if (!record.includes('"')) return record.split(",");
  const found: string[] = [];
  for (let at = 0; at <= record.length; ) {
    const quoted = record[at] === '"';
    const end = quoted ? closingQuote(record, at) : Math.min(next(record, ",", at), record.length);
    if (end === Number.POSITIVE_INFINITY) throw new SyntaxError(`record ${number}: a quoted field is not closed`);
    if (quoted && end + 1 < record.length && record[end + 1] !== ",") {
      throw new SyntaxError(
        `record ${number}: text follows a closing quote; double the quotes inside of a quoted field`,
      );
    }
    found.push(quoted ? record.slice(at + 1, end).replaceAll('""', '"') : record.slice(at, end));
    at = quoted ? end + 2 : end + 1;
  }
  return found;
}
