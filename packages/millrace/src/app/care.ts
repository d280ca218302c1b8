import type { Consumer } from "../consumer/consumer.js";

/**
 * The consumers of a process. After processes have died repeatedly, some have to run their events one at a time: those
 * come first, and one after the other, so that nothing else of the process can be what kills it.
 */
export class Care {
  readonly #consumers: readonly Consumer[];
  #careful: Consumer | undefined;

  constructor(consumers: readonly Consumer[]) {
    this.#consumers = consumers;
  }

  start(): void {
    for (const consumer of this.#consumers) consumer.onTurned = () => this.#look();
    this.#look();
    for (const consumer of this.#consumers) consumer.start();
  }

  #look(): void {
    if (this.#careful?.careful !== true) this.#careful = this.#consumers.find(({ careful }) => careful);
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
