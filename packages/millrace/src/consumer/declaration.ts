import type { AnyContract } from "../contract/contract.js";
import type { Handler } from "./handler.js";
import type { ConsumerOptions, EventOptions, IsolatedOptions } from "./options.js";
import type { View } from "./view.js";

/** One subscription, as declared. */
export interface Subscription {
  readonly contract: AnyContract;
  readonly options: EventOptions<AnyContract> | IsolatedOptions<AnyContract>;
  /** Undefined when it is isolated: its module has it. */
  readonly handler: Handler | undefined;
}

export interface ConsumerDeclaration {
  /** Undefined for the service's own consumer. */
  readonly name: string | undefined;
  readonly options: ConsumerOptions;
  readonly subscriptions: readonly Subscription[];
  /** What it makes rows for; undefined when it handles events one by one. */
  readonly view?: View;
}
