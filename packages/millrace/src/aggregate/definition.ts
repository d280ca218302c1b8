import { type PartDeclaration, partDeclaration } from "../consumer/part.js";
import type { Message, Received } from "../contract/contract.js";
import type { ContractDeclaration, TopicDeclaration } from "../contract/declaration.js";
import { Failure } from "../failure/failure.js";

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

/** The aggregate that a part is; undefined when it is another pattern. */
export function aggregateOf(declaration: PartDeclaration): AggregateDefinition | undefined {
  return (declaration as Partial<AggregatePart>).aggregate;
}

/** @throws {Failure} OPTION_INVALID when `aggregate()` did not make it. */
export function definitionOf(value: object): AggregateDefinition {
  const declaration = partDeclaration(value);
  const found = declaration === undefined ? undefined : aggregateOf(declaration);
  if (found !== undefined) return found;
  throw new Failure("OPTION_INVALID", "this value was not made by aggregate(); pass on what it returns, uncopied");
}
