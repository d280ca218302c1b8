import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { open, stat } from "node:fs/promises";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";

/** A file being read. */
export interface Reading {
  /** The text, unpacked, as it arrives. */
  readonly text: AsyncIterable<string>;
  /** From 0 to 1: how much of the file, as it lies on the disk, has been read. */
  progress(): number;
}

/** Streams a text file, unpacking it when it is gzip: told by its first two bytes, whatever its name. */
export async function readText(path: string): Promise<Reading> {
  const { size } = await stat(path);
  const packed = createReadStream(path, { highWaterMark: 65_536 });
  // Errors of the file reach the reader through the pipeline's last stream.
  const plain = (await isGzip(path)) ? pipeline(packed, createGunzip(), () => undefined) : packed;
  return {
    text: plain.setEncoding("utf8"),
    progress: () => (size === 0 ? 1 : packed.bytesRead / size),
  };
}

async function isGzip(path: string): Promise<boolean> {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

/** A short name for the file's content. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest("hex").slice(0, 12);
}
