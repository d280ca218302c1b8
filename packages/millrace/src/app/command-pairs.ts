import { Failure } from "../failure/failure.js";
import type { ServiceDeclaration } from "../service/service.js";

/**
 * Refuses a command that is taken back by another service's: the two would be in different topics, and in no order.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function checkPairs(services: readonly ServiceDeclaration[], owners: ReadonlyMap<string, string>): void {
  for (const { where, send, undo } of services.flatMap(({ parts }) => parts.flatMap(({ pairs = [] }) => pairs))) {
    const [one, other] = [owners.get(send), owners.get(undo)];
    if (one === undefined || other === undefined || one === other) continue;
    throw new Failure(
      "OPTION_INVALID",
      `${where}: send goes to ${one} (${send}) and undo to ${other} (${undo}); an undo could overtake what it takes back, let one service handle both`,
    );
  }
}
