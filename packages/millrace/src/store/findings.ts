import type { RegisteredConsumer } from "./registered.js";
import type { Position } from "./unit.js";

/** One thing looked at: sound or not, and a sentence for people. */
export interface Finding {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
}

/** What the log knows of a topic: its partitions, and where one begins and ends. */
export interface TopicExtent {
  readonly partitions: number;
  readonly incarnation: string;
  readonly first: (partition: number) => number;
  readonly end: (partition: number) => number;
}

const problemsMax = 10;

/** Whether consumers stand where the log has events: each position that they need, and inside its topic. */
export function positionsFinding(
  registered: readonly RegisteredConsumer[],
  known: readonly Position[],
  topics: ReadonlyMap<string, TopicExtent>,
): Omit<Finding, "check"> {
  const problems = known.flatMap((position) => strayed(position, topics.get(position.topic)));
  const grown = new Set<string>();
  const names = new Set(known.map(({ consumer, topic, partition }) => JSON.stringify([consumer, topic, partition])));
  for (const { consumer, topics: heard } of registered) {
    for (const { topic: name, incarnation } of heard) {
      const topic = topics.get(name);
      if (topic === undefined) problems.push(`${consumer}: topic ${name} does not exist`);
      else if (topic.incarnation !== incarnation) problems.push(`${consumer}: topic ${name} was deleted and made anew`);
      const had = known.filter((one) => one.consumer === consumer && one.topic === name).length;
      if (
        topic !== undefined &&
        had > 0 &&
        hasGrown(topic, had, (at) => names.has(JSON.stringify([consumer, name, at])))
      ) {
        grown.add(`topic ${name} has ${topic.partitions} partitions now, and had ${had}`);
        continue;
      }
      for (let partition = 0; partition < (topic?.partitions ?? 0); partition += 1) {
        if (!names.has(JSON.stringify([consumer, name, partition])))
          problems.push(`${consumer}: its position in ${name}/${partition} is missing`);
      }
    }
  }
  if (problems.length === 0 && grown.size === 0)
    return { ok: true, detail: `${known.length} positions, all inside their topics` };
  const more = problems.length > problemsMax ? `; and ${problems.length - problemsMax} more` : "";
  const said = grown.size === 0 ? [] : [`${[...grown].join("; ")}: somebody added some. ${grownAdvice}`];
  if (problems.length > 0)
    said.push(`${problems.slice(0, problemsMax).join("; ")}${more}. Restore a backup, or forget the consumer`);
  return { ok: false, detail: said.join(". ") };
}

const grownAdvice =
  "What is in the new ones is not handled, and no process starts any more (PARTITIONS_CHANGED): make a new topic of that count, and move to it";

/** Whether a consumer has the first positions of a topic, and lacks the others. */
function hasGrown({ partitions }: TopicExtent, had: number, has: (partition: number) => boolean): boolean {
  return had < partitions && Array.from({ length: partitions }, (_, at) => has(at) === at < had).every(Boolean);
}

function strayed(
  { consumer, topic: name, partition, frontier, finished }: Position,
  topic: TopicExtent | undefined,
): string[] {
  if (topic === undefined) return [`${consumer}: it has a position in ${name}, which does not exist`];
  const reach = finished.at(-1)?.[1] ?? frontier;
  const [first, end] = [topic.first(partition), topic.end(partition)];
  if (Math.max(reach, frontier) > end)
    return [`${consumer}: its position in ${name}/${partition} is ${reach}, past the topic's end ${end}`];
  if (frontier < first)
    return [`${consumer}: its position in ${name}/${partition} is ${frontier}, but the topic begins at ${first}`];
  return [];
}

/** Dead letters are no damage, but somebody has to see to them. `since` is when the oldest of them died (ms since the epoch). */
export function deadLettersFinding(count: number, since: number | null | undefined): Omit<Finding, "check"> {
  if (count === 0 || since === null || since === undefined) return { ok: true, detail: "no dead letters" };
  const at = new Date(since).toISOString();
  return { ok: false, detail: `${count} dead letters, the oldest since ${at}; see millrace dead-letters ls` };
}
