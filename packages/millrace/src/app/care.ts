import type { Consumer } from "../consumer/consumer.js";

/**
 * The consumers of a process. After processes have died repeatedly, some have to run their events one at a time: those
 * come first, and one after the other, so that nothing else of the process can be what kills it.
 */
export class Care {
  /** Those that there are: builds come and go. */
  readonly #consumers: readonly Consumer[];
  #careful: Consumer | undefined;
  #started = false;

  constructor(consumers: readonly Consumer[]) {
    this.#consumers = consumers;
    for (const consumer of consumers) this.watch(consumer);
  }

  /** Has a consumer say when its events run one at a time. */
  watch(consumer: Consumer): void {
    consumer.onTurned = () => this.look();
  }

  start(): void {
    this.#started = true;
    this.look();
    for (const consumer of this.#consumers) consumer.start();
  }

  /** Looks who may start runs. */
  look(): void {
    if (!this.#started) return;
    const before = this.#careful;
    if (before === undefined || !before.careful || !this.#consumers.includes(before))
      this.#careful = this.#consumers.find(({ careful }) => careful);
    const careful = this.#careful;
    if (careful === undefined) {
      for (const consumer of this.#consumers) consumer.hold(false);
      return;
    }
    // What runs in the others ends first.
    for (const consumer of this.#consumers) if (consumer !== careful) consumer.hold(true);
    careful.hold(this.#consumers.some((consumer) => consumer !== careful && consumer.inFlight > 0));
  }
}
