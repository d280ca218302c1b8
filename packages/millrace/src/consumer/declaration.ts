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
  /** The lane, where it is not that of the topic's key. */
  readonly laneBy?: LaneBy;
  /** It may publish and send whatever the app knows, not only what `emits` lists. */
  readonly emitsAny?: boolean;
}

/** A lane by a field of the data. Topics share lanes by `name`. */
export interface LaneBy {
  readonly name: string;
  readonly field: string;
}

export interface ConsumerDeclaration {
  /** Undefined for the service's own consumer. */
  readonly name: string | undefined;
  readonly options: ConsumerOptions;
  readonly subscriptions: readonly Subscription[];
  /** What it makes rows for; undefined when it handles events one by one. */
  readonly view?: View;
}
