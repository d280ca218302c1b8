import type { ContractDeclaration } from "./declaration.js";
import { declarationOf } from "./declared.js";

/** Facts about a declaration hide behind a symbol in its type, so that an event may be called `name`. Nothing has it at run time. */
export declare const meta: unique symbol;

/** The name of an event: past tense, dotted. A command's has no dot; that is what tells them apart in types. */
export type EventName = `${string}.${string}`;

/** A fact or a request that is on its way out: what publish, send, after and decide take. Made by calling a contract. */
export interface Message<Type, Data> {
  readonly type: Type;
  readonly data: Data;
}

/** A message as a handler gets it, with its envelope. */
export interface Received<Type, Data> extends Message<Type, Data> {
  /** UUIDv7; with `source` the identity. */
  readonly id: string;
  /** The value of the contract's key field, as text. */
  readonly key: string;
  /** When it was published. */
  readonly time: Date;
  /** The service that published it. */
  readonly source: string;
  /** The topic it was read from. */
  readonly topic: string;
  /** The version of the contract it was written with. */
  readonly version: number;
  /** The id of the first event of the whole flow. */
  readonly correlationId: string;
  /** The id of the event whose handler published this one; absent for a root. */
  readonly causationId?: string;
  /** How many handlers lie between the root and this one. */
  readonly hops: number;
  /** On whose behalf, where the caller said so. */
  readonly actor?: string;
  /** The version in its aggregate's stream. */
  readonly sequence?: number;
}

/** A declared event or command. Call it with data to make a {@link Message}; the data is checked when it is published. */
export interface Contract<Type extends string, Data> {
  (data: Data): Message<Type, Data>;
  readonly type: Type;
  readonly [meta]: Data;
}

/** Any declared event or command: of whatever data, so that it can be named but not called. */
export interface AnyContract {
  (data: never): Message<string, unknown>;
  readonly type: string;
  readonly [meta]: unknown;
}

/** Any declared event. */
export interface AnyEvent extends AnyContract {
  readonly type: EventName;
}

/** What calling the contract makes. */
export type MessageOf<C> = C extends Contract<infer Type, infer Data> ? Message<Type, Data> : never;
/** What a handler of the contract gets. */
export type ReceivedOf<C> = C extends Contract<infer Type, infer Data> ? Received<Type, Data> : never;
/** The data of a contract. */
export type DataOf<C> = C extends Contract<string, infer Data> ? Data : never;
/** The events of one aggregate type, by the names the code uses for them. */
export type Topic<Events> = Events & { readonly [meta]: "topic" };

/** The name of a contract. */
export type NameOf<C> = C extends Contract<infer Type, infer _Data> ? Type : never;

/**
 * The contract that made a message.
 *
 * @throws {Failure} CONTRACT_UNKNOWN when none did.
 */
export function contractOfMessage(message: Message<string, unknown>): AnyContract {
  return declarationOf(message).contract as AnyContract;
}

/**
 * The declaration behind a contract, or behind a message that a contract made.
 *
 * @throws {Failure} CONTRACT_UNKNOWN for anything else, like a message written by hand or copied with `{ ...message }`.
 */
export function contractDeclaration(of: AnyContract | Message<string, unknown>): ContractDeclaration {
  return declarationOf(of);
}
