import type { PartDeclaration } from "../consumer/part.js";
import type { Message, Received } from "../contract/contract.js";
import type { ContractDeclaration, TopicDeclaration } from "../contract/declaration.js";

/** An aggregate with its types forgotten: what runs it, reads it and tests it. */
export interface AggregateDefinition {
  /** Its topic's name. */
  readonly name: string;
  readonly topic: TopicDeclaration;
  /** By type. */
  readonly commands: ReadonlyMap<string, ContractDeclaration>;
  readonly initialState: () => unknown;
  readonly decide: (command: Received<string, unknown>, state: unknown) => unknown;
  readonly evolve: (state: unknown, event: Message<string, unknown>) => unknown;
  readonly derive: ((event: Message<string, unknown>, state: unknown) => unknown) | undefined;
  readonly snapshotEvery: number | undefined;
  /** Of `evolve`: snapshots of another one are not read. */
  readonly version: number;
}

/** What an aggregate comes down to. */
export interface AggregatePart extends PartDeclaration {
  readonly aggregate: AggregateDefinition;
}
