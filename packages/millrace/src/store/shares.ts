/** Whose fair share of which topic. */
export interface ShareOf {
  readonly member: string;
  readonly topic: string;
}

/**
 * How many of a topic's partitions are a member's fair share: the same everywhere, differing by one at most, and the odd
 * ones of different topics go to different members.
 *
 * @param members all who take part in the consumer, in any order
 */
export function fairShare({ member, topic }: ShareOf, members: readonly string[], partitions: number): number {
  const index = [...members].sort().indexOf(member);
  if (index < 0) return 0;
  let shift = 0;
  for (let i = 0; i < topic.length; i += 1) shift += topic.charCodeAt(i);
  const turn = (index + shift) % members.length;
  return Math.floor(partitions / members.length) + (turn < partitions % members.length ? 1 : 0);
}
