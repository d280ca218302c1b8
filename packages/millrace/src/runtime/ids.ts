import { spread, textHash } from "./mix.js";
import type { Random } from "./random.js";

/** Makes identities. */
export interface Ids {
  /** A fresh id; later ones sort after earlier ones of the same maker. */
  next(timeMs: number): string;
}

/** Four words that stand for who derives ids; see {@link seedOf}. */
export type Seed = readonly [number, number, number, number];

const hexDigits = new Uint8Array(16);
/** The value of a lower-case hexadecimal digit by its character code; -1 for all others. */
const digitValues = new Int8Array(128).fill(-1);
for (let value = 0; value < 16; value += 1) {
  const code = value.toString(16).charCodeAt(0);
  hexDigits[value] = code;
  digitValues[code] = value;
}

const dash = 45;
const digit7 = 55;
const idLength = 36;
const uuidText = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Whether a text is a UUID of any version in its usual form of 36 characters, in either case. */
export function isUuid(text: string): boolean {
  return text.length === idLength && uuidText.test(text);
}

/**
 * UUIDv7 as in RFC 9562 §5.7 and §6.2 method 1: 48 bits of milliseconds, a 12-bit counter, 62 random bits.
 *
 * Within one maker every id is greater than the one before, also when the clock goes back or more than
 * 2,048 ids fall in one millisecond: then the time part runs ahead of the clock.
 */
export function uuidv7(random: Random): Ids {
  const tails = new Uint8Array(tailLength * tailsInPool);
  const id = newIdBuffer();
  const counterStart = new Uint8Array(2);
  let used = tailsInPool;
  let lastMs = -1;
  let counter = 0;

  const openMs = (ms: number): void => {
    lastMs = ms;
    // The upper half is left for counting, so that a burst does not at once borrow from the next millisecond.
    random.fill(counterStart);
    counter = (((counterStart[0] ?? 0) << 8) | (counterStart[1] ?? 0)) & 0x7ff;
    writeTime(id, Math.floor(ms / 0x10000), ms % 0x10000);
  };

  return {
    next(timeMs) {
      if (timeMs > lastMs) openMs(Math.floor(timeMs));
      else if (counter === 0xfff) openMs(lastMs + 1);
      else counter += 1;
      if (used === tailsInPool) {
        fillTails(tails, random);
        used = 0;
      }
      id[15] = hexDigits[counter >>> 8] as number;
      id[16] = hexDigits[(counter >>> 4) & 15] as number;
      id[17] = hexDigits[counter & 15] as number;
      const from = used * tailLength;
      for (let i = 0; i < tailLength; i += 1) id[19 + i] = tails[from + i] as number;
      used += 1;
      return id.latin1Slice(0, idLength);
    },
  };
}

/** `8xxx-xxxxxxxxxxxx`: what follows the third dash. */
const tailLength = 17;
const tailsInPool = 512;

/** Draws once for many ids, and already in characters: asking the system for 8 bytes costs more than the whole id. */
function fillTails(tails: Uint8Array, random: Random): void {
  const bytes = new Uint8Array(8 * tailsInPool);
  random.fill(bytes);
  for (let tail = 0; tail < tailsInPool; tail += 1) {
    let at = tail * tailLength;
    for (let i = 0; i < 8; i += 1) {
      let byte = bytes[tail * 8 + i] as number;
      if (i === 0) byte = 0x80 | (byte & 0x3f);
      if (i === 2) tails[at++] = dash;
      tails[at++] = hexDigits[byte >>> 4] as number;
      tails[at++] = hexDigits[byte & 15] as number;
    }
  }
}

/** A buffer with everything of a UUIDv7 that never changes. `latin1Slice` is in Node's Buffer, but not in its types. */
function newIdBuffer(): Buffer & { latin1Slice(from: number, to: number): string } {
  const id = Buffer.alloc(idLength, dash);
  id[14] = digit7;
  return id as Buffer & { latin1Slice(from: number, to: number): string };
}

/** Writes the first 48 bits: 32 of `high`, 16 of `low`. */
function writeTime(id: Uint8Array, high: number, low: number): void {
  writeQuad(id, 0, high >>> 16);
  writeQuad(id, 4, high);
  writeQuad(id, 9, low);
}

/** Writes the low 16 bits of a word as four digits. Not a loop, since every id passes here. */
function writeQuad(id: Uint8Array, at: number, word: number): void {
  id[at] = hexDigits[(word >>> 12) & 15] as number;
  id[at + 1] = hexDigits[(word >>> 8) & 15] as number;
  id[at + 2] = hexDigits[(word >>> 4) & 15] as number;
  id[at + 3] = hexDigits[word & 15] as number;
}

/** Reads four lower-case digits; negative when one is none. */
function readQuad(text: string, at: number): number {
  return (
    (readDigit(text, at) << 12) |
    (readDigit(text, at + 1) << 8) |
    (readDigit(text, at + 2) << 4) |
    readDigit(text, at + 3)
  );
}

function readDigit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  return code < 128 ? (digitValues[code] as number) : -1;
}

/**
 * The seed of everything that one deriver derives, like `seedOf("payments", generation, "payment.authorised")`.
 *
 * The parts are told apart: `("ab", "c")`, `("a", "bc")` and `(1)`, `("1")` give different seeds. Compute it once.
 */
export function seedOf(...parts: readonly (string | number)[]): Seed {
  return textHash(JSON.stringify(parts));
}

/** What a derived id is derived from: the identity of an event, and its time in case the id is not a UUID. */
export interface Cause {
  readonly source: string;
  readonly id: string;
  readonly time: number;
}

const derived = newIdBuffer();
/** The cause's id as four words, filled by {@link readUuid}. */
const words = new Int32Array(4);

/**
 * The id of the `n`-th message that the holder of `seed` makes because of `cause`: the same for the same arguments, in
 * every process and for ever, so that a repeated run publishes the same ids.
 *
 * Shaped as UUIDv7. The first 48 bits are those of the causing id (of its time, when it is not a UUID), so that indexes
 * append; the other 74 are mixed from all of the cause's id and source, the seed and `n`. Not unpredictable: not for secrets.
 */
export function deriveId(cause: Cause, seed: Seed, n: number): string {
  if (readUuid(cause.id)) writeTime(derived, words[0] as number, (words[1] as number) >>> 16);
  else {
    words.set(textHash(cause.id));
    const ms = timePrefixMs(cause.id, cause.time);
    writeTime(derived, Math.floor(ms / 0x10000), ms % 0x10000);
  }
  // MurmurHash3_x86_128 (Austin Appleby, public domain) over two blocks: the id, then the source and n.
  let a = seed[0] | 0;
  let b = seed[1] | 0;
  let c = seed[2] | 0;
  let d = seed[3] | 0;
  a = (step(a, words[0] as number, 0x239b961b, 0xab0e9789) + b) | 0;
  b = (step(b, words[1] as number, 0xab0e9789, 0x38b34ae5) + c) | 0;
  c = (step(c, words[2] as number, 0x38b34ae5, 0xa1e38b93) + d) | 0;
  d = (step(d, words[3] as number, 0xa1e38b93, 0x239b961b) + a) | 0;
  const source = sourceHash(cause.source);
  a = (step(a, source[0], 0x239b961b, 0xab0e9789) + b) | 0;
  b = (step(b, source[1], 0xab0e9789, 0x38b34ae5) + c) | 0;
  c = (step(c, source[2], 0x38b34ae5, 0xa1e38b93) + d) | 0;
  d = (step(d, source[3] ^ Math.imul(n + 1, 0x9e3779b1), 0xa1e38b93, 0x239b961b) + a) | 0;
  a = (a + b + c + d) | 0;
  b = spread(b + a);
  c = spread(c + a);
  d = spread(d + a);
  a = spread(a + b + c + d);
  b = (b + a) | 0;
  c = (c + a) | 0;
  d = (d + a) | 0;
  writeMixed(derived, a, b, c, d);
  return derived.latin1Slice(0, idLength);
}

/** One word of the mix: both constants are odd, so that no input bit is lost. */
function step(state: number, word: number, k1: number, k2: number): number {
  let k = Math.imul(word, k1);
  k = (k << 15) | (k >>> 17);
  const h = state ^ Math.imul(k, k2);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0x561ccd1b) | 0;
}

/** Writes the version and 12 bits of `a`, the variant and 14 bits of `b`, 32 of `c` and 16 of `d`. */
function writeMixed(id: Uint8Array, a: number, b: number, c: number, d: number): void {
  writeQuad(id, 14, 0x7000 | (a & 0xfff));
  writeQuad(id, 19, 0x8000 | (b & 0x3fff));
  writeQuad(id, 24, c >>> 16);
  writeQuad(id, 28, c);
  writeQuad(id, 32, d);
}

/** Reads a lower-case UUID into {@link words}; false for anything else. */
function readUuid(id: string): boolean {
  if (id.length !== idLength) return false;
  const [a, b, c, d] = [readQuad(id, 0), readQuad(id, 4), readQuad(id, 9), readQuad(id, 14)];
  const [e, f, g, h] = [readQuad(id, 19), readQuad(id, 24), readQuad(id, 28), readQuad(id, 32)];
  const dashes =
    (id.charCodeAt(8) ^ dash) | (id.charCodeAt(13) ^ dash) | (id.charCodeAt(18) ^ dash) | (id.charCodeAt(23) ^ dash);
  if ((a | b | c | d | e | f | g | h) < 0 || dashes !== 0) return false;
  words[0] = (a << 16) | b;
  words[1] = (c << 16) | d;
  words[2] = (e << 16) | f;
  words[3] = (g << 16) | h;
  return true;
}

let hashedSource = "";
let hashOfSource = textHash(hashedSource);

/** Sources are few and come in runs: remember the last. */
function sourceHash(source: string): Seed {
  if (source !== hashedSource) {
    hashOfSource = textHash(source);
    hashedSource = source;
  }
  return hashOfSource;
}

/** The first 48 bits of a UUID as a number (a UUIDv7's time in ms), or the fallback when the id is not a UUID. */
export function timePrefixMs(id: string, fallbackTimeMs: number): number {
  if (!isUuid(id)) return Math.max(0, Math.floor(fallbackTimeMs));
  return Number.parseInt(id.slice(0, 8), 16) * 0x10000 + Number.parseInt(id.slice(9, 13), 16);
}
