import { compressionsAlgorithmsByBitmask } from "@platformatic/kafka";
import { Failure } from "../failure/failure.js";

/** How batches are packed on their way to the broker, and on its disk. */
export type Compression = "none" | "gzip" | "snappy" | "lz4";

const codes: Readonly<Record<Compression, number>> = { none: 0, gzip: 1, snappy: 2, lz4: 3 };
const names = ["none", "gzip", "snappy", "lz4", "zstd"];

/** The names of {@link Compression}. */
export const compressions = Object.keys(codes) as readonly Compression[];

/** Records of a batch, packed. */
export function compressed(
  records: Buffer,
  compression: Compression,
): { readonly code: number; readonly bytes: Buffer } {
  const code = codes[compression];
  if (code === 0) return { code, bytes: records };
  return { code, bytes: Buffer.from(algorithm(code).compressSync(records)) };
}

/**
 * Records of a batch, unpacked.
 *
 * @throws {Failure} STORE_FORMAT when this version of Node cannot.
 */
export function decompressed(records: Buffer, code: number, where: string): Buffer {
  try {
    return Buffer.from(algorithm(code).decompressSync(records));
  } catch (cause) {
    if (canDecompress(code))
      throw new Failure("STORE_DAMAGED", `${where}: its ${names[code]} cannot be unpacked`, { cause });
    throw new Failure(
      "STORE_FORMAT",
      `${where} is packed with ${names[code] ?? code}, which Node ${process.versions.node} cannot unpack; ` +
        "run Node 22.15 or later, or have the topic's compression.type be lz4",
      { cause },
    );
  }
}

/** Whether this version of Node unpacks it. */
export function canDecompress(code: number): boolean {
  return compressionsAlgorithmsByBitmask[code]?.available === true;
}

function algorithm(code: number) {
  const found = compressionsAlgorithmsByBitmask[code];
  if (found === undefined) throw new Failure("STORE_FORMAT", `there is no compression ${code}`);
  return found;
}
