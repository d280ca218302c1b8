import { type AnyEvent, contractDeclaration } from "../contract/contract.js";
import { Failure } from "../failure/failure.js";

/**
 * Refuses a projection of several topics whose order matters.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function checkTopics(
  { name, version }: { readonly name: string; readonly version: number },
  folds: Iterable<{ readonly event: AnyEvent }>,
  commutative: boolean,
): void {
  const topics = new Set([...folds].map(({ event }) => contractDeclaration(event).topic?.name));
  topics.delete(undefined);
  if (commutative || topics.size < 2) return;
  throw new Failure(
    "OPTION_INVALID",
    `projection ${name}@${version} is fed by topics ${[...topics].join(" and ")}, between which there is no order; when the order in which their events come to a row does not matter, declare commutative: true, else fold one topic`,
  );
}
