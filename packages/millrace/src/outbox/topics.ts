import type { OpenLog, OpenStore } from "../engine/halves.js";
import { Failure } from "../failure/failure.js";
import type { LogAdmin, TopicShape } from "../log/log.js";

/** Topics of two halves: the log knows their partitions, the store what else is declared of them. */
export function topicsOf(log: OpenLog, store: OpenStore): LogAdmin {
  return {
    async ensureTopic(wanted) {
      const { incarnation } = await log.ensureTopic(wanted);
      if (wanted.streams === true) await refuseStrangers(wanted, log, store);
      return await store.ensureTopic({ ...wanted, incarnation });
    },
    async topics() {
      const [there, declared] = await Promise.all([log.topics(), store.topics()]);
      const byName = new Map(there.map((topic) => [topic.name, topic]));
      // What the log has lost since is shown as it was: consumers find that out, and say so.
      return declared.map((topic) => ({ ...topic, ...byName.get(topic.name) }));
    },
  };
}

/** Events that are in a topic before it holds streams would be no part of any. */
async function refuseStrangers(wanted: Omit<TopicShape, "incarnation">, log: OpenLog, store: OpenStore): Promise<void> {
  const known = (await store.topics()).find(({ name }) => name === wanted.name);
  if (known?.streams === true) return;
  const [starts, ends] = await Promise.all([log.starts(wanted.name), log.ends(wanted.name)]);
  if (ends.every((end, partition) => end === starts[partition])) return;
  throw new Failure(
    "CONFLICT",
    `topic ${wanted.name} has events that its aggregate did not write: it cannot tell its state from them. ` +
      "Give the aggregate a new topic, and have it take the old events' facts as commands",
  );
}
