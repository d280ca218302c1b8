/** Spreads the bits of a 32-bit word. The finaliser of MurmurHash3 (fmix32, Austin Appleby, public domain). */
export function spread(word: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/**
 * A 128-bit hash of a text as four unsigned words; equal on every machine. Not for secrets.
 *
 * Four lanes of multiply and rotate over the UTF-16 units, each with its own constant, crossed at the end.
 */
export function textHash(text: string): readonly [number, number, number, number] {
  let a = 0x9e3779b9 ^ text.length;
  let b = 0x243f6a88;
  let c = 0xb7e15162;
  let d = 0x71374491;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 0x85ebca6b);
    a = (a << 13) | (a >>> 19);
    b = Math.imul(b ^ unit, 0xc2b2ae35);
    b = (b << 17) | (b >>> 15);
    c = Math.imul(c ^ unit, 0x27d4eb2f);
    c = (c << 11) | (c >>> 21);
    d = Math.imul(d ^ unit, 0x165667b1);
    d = (d << 19) | (d >>> 13);
  }
  a = spread(a ^ d);
  b = spread(b ^ a);
  c = spread(c ^ b);
  d = spread(d ^ c);
  a = spread(a ^ d);
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}
