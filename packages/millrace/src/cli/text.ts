/**
 * Text of somebody's data, safe to print: control characters and those that turn the direction of writing would let data
 * draw on the terminal.
 */
export function safe(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** At most `max` characters, the last of them an ellipsis when something was cut. */
export function shorten(text: string, max: number): string {
  return text.length <= max ? text : `${text.slice(0, Math.max(0, max - 1))}…`;
}

/** A length of time for people: `0`, `12 ms`, `3.2 s`, `4 min`, `2.5 h`, `3 d`; `unknown` when nobody knows it. */
export function duration(ms: number | undefined): string {
  if (ms === undefined) return "unknown";
  if (ms <= 0) return "0";
  if (ms < 1_000) return `${Math.ceil(ms)} ms`;
  if (ms < 60_000) return `${trimmed(ms / 1_000)} s`;
  if (ms < 3_600_000) return `${trimmed(ms / 60_000)} min`;
  if (ms < 86_400_000) return `${trimmed(ms / 3_600_000)} h`;
  return `${trimmed(ms / 86_400_000)} d`;
}

function trimmed(value: number): string {
  return value < 10 ? String(Number(value.toFixed(1))) : String(Math.round(value));
}

/** A number, or `unknown`: which is not 0. */
export function count(value: number | undefined): string {
  return value === undefined ? "unknown" : String(value);
}

/** An ISO time's day and time of day, in UTC. */
export function moment(iso: string): string {
  return iso.replace("T", " ").replace("Z", "");
}

/** An ISO time's time of day, in UTC. */
export function timeOfDay(iso: string): string {
  return iso.slice(11, 23);
}

/** `1 event`, `2 events`. */
export function plural(n: number, noun: string): string {
  return `${n} ${noun}${n === 1 ? "" : "s"}`;
}
