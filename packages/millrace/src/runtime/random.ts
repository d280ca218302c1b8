import { randomFillSync } from "node:crypto";

/** Chance, passed in so that a simulation can repeat it. */
export interface Random {
  /** A number in [0, 1). */
  next(): number;
  /** Overwrites every byte. */
  fill(bytes: Uint8Array): void;
}

/** The operating system's randomness: for ids and tokens. */
export const systemRandom: Random = {
  next: () => Math.random(),
  fill: (bytes) => void randomFillSync(bytes),
};

/**
 * The same sequence for the same seed, on every machine. For simulations and tests, never for secrets.
 *
 * Mulberry32 (Tommy Ettinger, public domain): 32 bits of state, period 2^32.
 */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  const word = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return (t ^ (t >>> 14)) >>> 0;
  };
  return {
    next: () => word() / 2 ** 32,
    fill(bytes) {
      for (let i = 0; i < bytes.length; i += 1) bytes[i] = word() >>> 24;
    },
  };
}
