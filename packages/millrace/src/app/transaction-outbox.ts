import type { EventName, Message } from "../contract/contract.js";
import type { Transaction } from "../engine/engine.js";
import { Failure } from "../failure/failure.js";
import { checkOptions } from "../runtime/options.js";
import type { Published, PublishManyOptions, PublishOptions, TransactionOutbox } from "./app.js";
import { isList, type Publisher } from "./publisher.js";

/**
 * Publishing in a transaction of the user's own.
 *
 * @throws {Failure} OPTION_INVALID when it is no such object.
 */
export function transactionOutbox(publisher: Publisher, transaction: Transaction): TransactionOutbox {
  if (typeof transaction?.query !== "function")
    throw new Failure("OPTION_INVALID", "app.outbox: takes an object with query(text, values), like a client of pg", {
      details: { option: "transaction" },
    });
  async function publish(event: Message<EventName, unknown>, options?: PublishOptions): Promise<Published>;
  async function publish(
    events: readonly Message<EventName, unknown>[],
    options?: PublishManyOptions,
  ): Promise<readonly Published[]>;
  async function publish(
    given: Message<EventName, unknown> | readonly Message<EventName, unknown>[],
    options: PublishOptions & PublishManyOptions = {},
  ): Promise<Published | readonly Published[]> {
    if (isList(given)) return publisher.publishIn(transaction, given, options);
    checkOptions(options as PublishOptions, { id: true, actor: true }, { where: "publish" });
    const { id, ...rest } = options;
    const [published] = await publisher.publishIn(transaction, [given], {
      ...rest,
      ...(id !== undefined && { ids: [id] }),
    });
    return published as Published;
  }
  return { publish };
}
