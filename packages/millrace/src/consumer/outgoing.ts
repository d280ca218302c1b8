import { contractDeclaration, type Message } from "../contract/contract.js";
import type { ContractDeclaration } from "../contract/declaration.js";
import { Failure } from "../failure/failure.js";
import type { Headers, LogRecord, NewRecord } from "../log/log.js";
import { partitionOf } from "../log/murmur2.js";

/** Where messages of one contract go, and in whose name. */
export interface Route {
  readonly topic: string;
  readonly partitions: number;
  readonly source: string;
  /** The pattern that alone writes there: `aggregate orders`. */
  readonly writer?: string;
  /** The topic is a service's own: nobody else reads it. */
  readonly internal?: true;
}

/** Where each declared message goes, by type. */
export type Routes = ReadonlyMap<string, Route>;

/** What makes a record's identity and its place in a flow. */
export interface Origin {
  readonly id: string;
  readonly time: number;
  readonly source: string | undefined;
  readonly correlationId: string | undefined;
  readonly causationId: string | undefined;
  readonly hops: number;
  readonly headers: Headers | undefined;
  readonly named: boolean;
}

/** The route of a message, or an error that says who could have declared it. */
function routeOf(declaration: ContractDeclaration, routes: Routes): Route {
  const route = routes.get(declaration.type);
  if (route !== undefined) return route;
  const hint =
    declaration.kind === "event"
      ? "put the event into a topic that a service of this app owns or hears"
      : "no service of this app handles the command: add .handle() to its owner";
  throw new Failure("CONTRACT_UNKNOWN", `${declaration.type}: this app does not know where it goes; ${hint}`);
}

/**
 * A message as the record that is stored: validated and encoded once.
 *
 * @throws {Failure} CONTRACT_REJECTED, PAYLOAD_LIMIT, CONTRACT_UNKNOWN or TOPIC_OWNER; nothing is stored then.
 */
export function recordOf(message: Message<string, unknown>, routes: Routes, origin: Origin): NewRecord {
  const declaration = contractDeclaration(message);
  const route = routeOf(declaration, routes);
  // A sequence has what its writer appends to a stream, and nothing else on its way out.
  if (route.writer !== undefined && origin.headers?.sequence === undefined) throw notItsWriter(declaration, route);
  // The key is the stored one: a schema may have trimmed it, or made it lower-case.
  const accepted = declaration.accept(message.data);
  const data = declaration.textOf(accepted);
  const key = declaration.keyOf(accepted);
  return {
    topic: route.topic,
    partition: partitionOf(key, route.partitions),
    id: origin.id,
    source: origin.source ?? route.source,
    type: declaration.type,
    version: declaration.version,
    key,
    time: origin.time,
    correlationId: origin.correlationId,
    causationId: origin.causationId,
    hops: origin.hops,
    headers: origin.headers,
    data,
    named: origin.named,
    offset: -1,
  };
}

function notItsWriter({ type }: ContractDeclaration, { topic, writer }: Route): Failure {
  return new Failure(
    "TOPIC_OWNER",
    `${type} cannot be published: topic ${topic} is written by ${writer} alone; send it a command`,
    { details: { topic } },
  );
}

/** A message on its way out, and to whom it was said to reply. */
interface Replied {
  readonly type: string;
  readonly replyTo: string | undefined;
}

/**
 * What a record inherits of its cause's headers: on whose behalf, which trace; not the cause's place in its own stream.
 * What a command's handler publishes replies to whoever sent the command, unless `replyTo` says another; so does what is
 * published further down, as long as the service passes the work on in its internal topics.
 */
export function headersOf(cause: LogRecord, routes: Routes, message: Replied): Headers | undefined {
  const { type, replyTo } = message;
  if (cause.headers === undefined && replyTo === undefined) return undefined;
  const { sequence: _, replyto: sender, ...rest } = cause.headers ?? {};
  const answers = !cause.type.includes(".") || routes.get(cause.type)?.internal === true;
  const replies = answers && type.includes(".");
  const replyto = replyTo ?? (replies ? sender : undefined);
  if (replyto !== undefined) return { ...rest, replyto };
  return Object.keys(rest).length === 0 ? undefined : rest;
}
