const seed = 0x9747b28c;
const m = 0x5bd1e995;

/** The partition of a key: as Kafka's default partitioner, so that a log can move between engines. */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** Murmur2 of the key's UTF-8 bytes, as in Kafka's Utils.java, so keys land on the same partition. Signed 32 bits. */
export function murmur2(key: string): number {
  for (let index = 0; index < key.length; index += 1)
    if (key.charCodeAt(index) > 0x7f) return hashBytes(Buffer.from(key));
  return hashAscii(key);
}

function hashAscii(key: string): number {
  const { length } = key;
  let h = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4)
    h = mix(
      h,
      key.charCodeAt(at) |
        (key.charCodeAt(at + 1) << 8) |
        (key.charCodeAt(at + 2) << 16) |
        (key.charCodeAt(at + 3) << 24),
    );
  const left = length - at;
  if (left === 3) h ^= key.charCodeAt(at + 2) << 16;
  if (left >= 2) h ^= key.charCodeAt(at + 1) << 8;
  if (left >= 1) h = Math.imul(h ^ key.charCodeAt(at), m);
  return finish(h);
}

function hashBytes(bytes: Buffer): number {
  const { length } = bytes;
  let h = seed ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) h = mix(h, bytes.readInt32LE(at));
  const left = length - at;
  if (left === 3) h ^= bytes.readUInt8(at + 2) << 16;
  if (left >= 2) h ^= bytes.readUInt8(at + 1) << 8;
  if (left >= 1) h = Math.imul(h ^ bytes.readUInt8(at), m);
  return finish(h);
}

function mix(h: number, word: number): number {
  let k = Math.imul(word, m);
  k = Math.imul(k ^ (k >>> 24), m);
  return Math.imul(h, m) ^ k;
}

function finish(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 13), m);
  h ^= h >>> 15;
  return h;
}
