/** What a relay sends to be judged: each event is the n-th of its key, counted from 1, without gaps. */
export interface TrialPage {
  readonly page: number;
  readonly events: readonly (readonly [key: string, n: number])[];
}

/** What became of the order. */
export interface TrialVerdict {
  readonly lost: number;
  /** First arrivals of events behind younger ones of their key. */
  readonly inversions: number;
  readonly copies: number;
}

/** Judges what one relay sent, after copies are dropped. */
export class OrderJudge {
  readonly #keys = new Map<string, { readonly seen: Set<number>; last: number }>();
  #inversions = 0;
  #copies = 0;
  #arrived = 0;

  get arrived(): number {
    return this.#arrived;
  }

  has(key: string, n: number): boolean {
    return this.#keys.get(key)?.seen.has(n) === true;
  }

  heard(key: string, n: number): void {
    let known = this.#keys.get(key);
    if (known === undefined) {
      known = { seen: new Set(), last: 0 };
      this.#keys.set(key, known);
    }
    if (known.seen.has(n)) {
      this.#copies += 1;
      return;
    }
    known.seen.add(n);
    this.#arrived += 1;
    if (n < known.last) this.#inversions += 1;
    known.last = Math.max(known.last, n);
  }

  /** `committed` says how many events of each key there are. */
  verdict(committed: ReadonlyMap<string, number>): TrialVerdict {
    let lost = 0;
    for (const [key, count] of committed) for (let n = 1; n <= count; n += 1) if (!this.has(key, n)) lost += 1;
    return { lost, inversions: this.#inversions, copies: this.#copies };
  }
}

/** What the proof of order prints: see trial-order-process.ts. */
export interface OrderProof {
  readonly committed: number;
  readonly writtenMs: number;
  readonly ms: number;
  /** How many relays there were: all but one were killed. */
  readonly relays: number;
  readonly relay: TrialVerdict;
  readonly naive: Readonly<Record<string, TrialVerdict>>;
}
