import { closeSync, openSync, readSync, statSync } from "node:fs";
import { endianness } from "node:os";
import { Failure } from "../failure/failure.js";

// The write-ahead log, as https://www.sqlite.org/fileformat2.html#the_write_ahead_log describes it: a header, then frames,
// each a page with a head of its own. The sums of a frame go on from those of the frame before.
const headerBytes = 32;
const headBytes = 24;
/** The lowest bit of the magic number says in which order the bytes of a word are added up. */
const magic = 0x377f0682;

type Sums = readonly [number, number];

/** A frame of the log that belongs to its present pass; those of earlier passes have other salts. */
interface Frame {
  readonly at: number;
  /** It goes on from the frame before it, as that one is stored. */
  readonly linked: boolean;
  readonly sound: boolean;
  readonly commits: boolean;
}

/**
 * Refuses a write-ahead log of which SQLite would read a part only: from the first frame on that is not as it was written,
 * it takes the rest for a commit that the machine did not come to end. The last commit may have been cut short so; what
 * is followed by others was on disk.
 *
 * @throws {Failure} STORE_DAMAGED
 */
export function refuseCutLog(file: string): void {
  const log = `${file}-wal`;
  if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) <= headerBytes) return;
  let damaged: Frame | undefined;
  let commitsBehind = 0;
  for (const frame of framesOf(log, file)) {
    if (damaged === undefined && !frame.sound) damaged = frame;
    // The first one may end the commit that was cut short.
    if (damaged !== undefined && frame.commits && (commitsBehind === 0 || frame.linked)) commitsBehind += 1;
  }
  if (damaged === undefined || commitsBehind < 2) return;
  throw new Failure(
    "STORE_DAMAGED",
    `${log} is not as it was written at byte ${damaged.at}, and commits stand behind that, which would be lost; keep a copy of the folder, then restore a backup`,
    { details: { file: log } },
  );
}

function* framesOf(log: string, database: string): Generator<Frame> {
  const [opened, header] = [openSync(log, "r"), Buffer.alloc(headerBytes)];
  try {
    readSync(opened, header, 0, headerBytes, 0);
    let before: Sums = [header.readUInt32BE(24), header.readUInt32BE(28)];
    const known = (header.readUInt32BE(0) | 1) === (magic | 1);
    const swapped = known && (header.readUInt32BE(0) & 1) !== (endianness() === "BE" ? 1 : 0);
    const heads = sumsOf(header.subarray(0, 24), [0, 0], swapped);
    let sound = heads[0] === before[0] && heads[1] === before[1];
    const frame = Buffer.alloc(headBytes + (sound ? header.readUInt32BE(8) : pageBytesOf(database)));
    // Where the header is damaged, the first frame has its salts, too.
    let salts = header.subarray(16, 24);
    for (let at = headerBytes; readSync(opened, frame, 0, frame.length, at) === frame.length; at += frame.length) {
      if (!sound && at === headerBytes) salts = Buffer.from(frame.subarray(8, 16));
      const ours = frame.subarray(8, 16).equals(salts);
      const stored: Sums = [frame.readUInt32BE(16), frame.readUInt32BE(20)];
      const sums = sumsOf(frame.subarray(headBytes), sumsOf(frame.subarray(0, 8), before, swapped), swapped);
      const linked = ours && sums[0] === stored[0] && sums[1] === stored[1];
      sound &&= linked;
      yield { at, linked, sound, commits: ours && frame.readUInt32BE(4) !== 0 };
      before = stored;
    }
  } finally {
    closeSync(opened);
  }
}

/** As the file itself says it. */
function pageBytesOf(database: string): number {
  const [opened, bytes] = [openSync(database, "r"), Buffer.alloc(2)];
  readSync(opened, bytes, 0, 2, 16);
  closeSync(opened);
  return bytes.readUInt16BE() === 1 ? 65_536 : bytes.readUInt16BE();
}

/** Of so many bytes, a multiple of eight, that begin at a multiple of four. */
function sumsOf(bytes: Buffer, from: Sums, swapped: boolean): Sums {
  const inOrder = swapped ? Buffer.from(bytes).swap32() : bytes;
  const words = new Uint32Array(inOrder.buffer, inOrder.byteOffset, inOrder.length / 4);
  let [a, b] = from;
  for (let at = 0; at < words.length; at += 2) {
    a = (a + (words[at] as number) + b) >>> 0;
    b = (b + (words[at + 1] as number) + a) >>> 0;
  }
  return [a, b];
}
