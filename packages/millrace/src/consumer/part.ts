import type { AnyEvent, Topic } from "../contract/contract.js";
import type { ConsumerDeclaration, Subscription } from "./declaration.js";

/** Where a pattern keeps what it comes down to. */
export const part: unique symbol = Symbol("millrace part");

/** A pattern that a service owns (an aggregate, a projection, a saga): `service("orders").owns(…)` takes it. */
export interface Part {
  readonly [part]: PartDeclaration;
}

/** Every pattern is handlers: of commands, in the service's own consumer; of events, in consumers of its own. */
export interface PartDeclaration {
  /** As messages name it: `projection order-summary`. No two parts of a service share it. */
  readonly title: string;
  /** The part itself, for those who know its kind. */
  readonly of?: object;
  /** Topics that this part alone writes, each key of them a stream. */
  readonly topics: readonly Topic<Readonly<Record<string, AnyEvent>>>[];
  readonly commands: readonly Subscription[];
  /** Types of messages that nobody but the part itself sends and hears: no map shows them. */
  readonly inner?: readonly string[];
  readonly consumers: readonly ConsumerDeclaration[];
  /** Commands of which one takes the other back: they are one service's, so that they stay in order. */
  readonly pairs?: readonly { readonly where: string; readonly send: string; readonly undo: string }[];
}

/** What a part comes down to; undefined when the value is none. */
export function partDeclaration(of: object): PartDeclaration | undefined {
  return (of as Partial<Part>)[part];
}
