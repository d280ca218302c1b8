import { createHash } from "node:crypto";

/** A row as text that is the same whatever the order of its fields. */
export function canonicalText(row: unknown): string {
  return JSON.stringify(row, (_, value: unknown) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
}

const sumBits = 48;
const modulus = 2 ** sumBits;

/** A checksum of rows, the same whatever the order in which they are added. */
export class Checksum {
  #sum = 0;
  rows = 0;

  add(id: string, canonical: string): void {
    const digest = createHash("sha1").update(`${id}\n${canonical}`).digest();
    this.#sum = (this.#sum + digest.readUIntBE(0, sumBits / 8)) % modulus;
    this.rows += 1;
  }

  get text(): string {
    return this.#sum.toString(16).padStart(sumBits / 4, "0");
  }
}
