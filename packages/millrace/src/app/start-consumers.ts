import type { Consumer } from "../consumer/consumer.js";

/**
 * Starts them. After a process has died repeatedly, some have to run their events one at a time: those come first, and
 * one after the other, so that nothing else of the process can be what kills it.
 */
export function startConsumers(consumers: readonly Consumer[]): void {
  const careful = consumers.find((consumer) => consumer.careful);
  if (careful === undefined) {
    for (const consumer of consumers) consumer.start();
    return;
  }
  let calm = false;
  careful.onCalm = () => {
    if (calm) return;
    calm = true;
    startConsumers(consumers);
  };
  careful.start();
}
