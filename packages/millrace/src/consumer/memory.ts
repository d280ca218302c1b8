/** Told that there is room again. */
type Wake = () => void;

/**
 * The bytes of fetched, unfinished events of all consumers of a process. Half of `bytesMax` is guaranteed, the same part
 * to each consumer; the other half is common, to whoever comes first. A consumer with nothing left does not fetch
 * until some of its events are finished, or others have given back of what is common.
 *
 * An event counts as long as its text in the log. What is fetched comes in blocks of the log, or large parts of them: a consumer may go
 * over by the last one it fetched.
 */
export class EventMemory {
  readonly guaranteed: number;
  readonly #common: number;
  #commonUsed = 0;
  #waiting: Wake[] = [];

  constructor(bytesMax: number, consumers: number) {
    this.guaranteed = Math.ceil(bytesMax / 2 / Math.max(1, consumers));
    this.#common = bytesMax / 2;
  }

  /** One consumer's share; `wake` is called when there is room after there was none. */
  share(wake: Wake): MemoryShare {
    return new MemoryShare(this, wake);
  }

  get commonLeft(): number {
    return Math.max(0, this.#common - this.#commonUsed);
  }

  /** A consumer holds more, or less, than what is guaranteed to it. */
  shift(bytes: number): void {
    this.#commonUsed += bytes;
    if (bytes >= 0 || this.#waiting.length === 0 || this.commonLeft === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  await(wake: Wake): void {
    if (!this.#waiting.includes(wake)) this.#waiting.push(wake);
  }
}

/** What one consumer holds of the {@link EventMemory}. */
export class MemoryShare {
  readonly #memory: EventMemory;
  readonly #wake: Wake;
  #used = 0;
  #closed = false;

  constructor(memory: EventMemory, wake: Wake) {
    this.#memory = memory;
    this.#wake = wake;
  }

  get used(): number {
    return this.#used;
  }

  /** How much may be fetched now; when that is nothing, the consumer is woken once it is something. */
  room(): number {
    const left = Math.max(0, this.#memory.guaranteed - this.#used) + this.#memory.commonLeft;
    if (left === 0) this.#memory.await(this.#wake);
    return left;
  }

  take(bytes: number): void {
    if (!this.#closed) this.#set(this.#used + bytes);
  }

  give(bytes: number): void {
    if (!this.#closed) this.#set(this.#used - bytes);
  }

  /** Its consumer has stopped, and holds nothing any more. */
  close(): void {
    this.#set(0);
    this.#closed = true;
  }

  #set(used: number): void {
    const { guaranteed } = this.#memory;
    const shift = Math.max(0, used - guaranteed) - Math.max(0, this.#used - guaranteed);
    this.#used = used;
    if (shift !== 0) this.#memory.shift(shift);
  }
}
