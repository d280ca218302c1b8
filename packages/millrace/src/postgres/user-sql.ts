const remembered = new Map<string, string>();
const rememberedMax = 500;

// What may hold a question mark that is no parameter: comments, texts, names.
const pieces = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'|"(?:[^"]|"")*"|\?/g;

/** A statement whose parameters are `?`, as handlers write it for every engine, with the numbered ones of PostgreSQL. */
export function numbered(text: string): string {
  let known = remembered.get(text);
  if (known === undefined) {
    let n = 0;
    known = text.replace(pieces, (piece) => {
      if (piece !== "?") return piece;
      n += 1;
      return `$${n}`;
    });
    if (remembered.size >= rememberedMax) remembered.clear();
    remembered.set(text, known);
  }
  return known;
}
