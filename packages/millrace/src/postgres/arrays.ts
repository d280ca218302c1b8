// What JSON writes in another way than PostgreSQL's arrays do: control characters, and halves of surrogate pairs.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the characters that are looked for
const special = /[\u0000-\u001f\ud800-\udfff]/;
const escaped = /["\\]/g;

/** Texts as one parameter of type text[]. Several times as fast as the driver's own way, where texts are JSON. */
export function textArray(values: Iterable<string | null>): string {
  let list = "";
  for (const value of values) {
    if (list !== "") list += ",";
    if (value === null) list += "NULL";
    else if (special.test(value)) list += `"${value.replace(escaped, "\\$&")}"`;
    // Both put texts in quotes, and a backslash before quotes and backslashes.
    else list += JSON.stringify(value);
  }
  return `{${list}}`;
}

/** Numbers or booleans as one parameter of type int[], bigint[] or bool[]. */
export function plainArray(values: Iterable<number | boolean | null>): string {
  let list = "";
  for (const value of values) list += list === "" ? `${value ?? "NULL"}` : `,${value ?? "NULL"}`;
  return `{${list}}`;
}
