import type { Consumer } from "../consumer/consumer.js";
import type { Logger } from "../runtime/logger.js";

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

/**
 * After a stop in order, their partitions are given back. What cannot be given back counts as taken from a process that
 * died: at worst, events run one at a time for a while.
 */
export async function releaseConsumers(consumers: readonly Consumer[], logger: Logger): Promise<void> {
  try {
    for (const consumer of consumers) await consumer.release();
  } catch (error) {
    logger.warn({ err: error }, "the partitions could not be given back; the next start takes them over");
  }
}
