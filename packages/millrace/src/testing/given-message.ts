import { contractDeclaration, type Message, type Received } from "../contract/contract.js";

/** A message as it will be stored and read: its schema has filled in and trimmed what it does. */
export interface Stored {
  readonly key: string;
  readonly type: string;
  readonly version: number;
  readonly data: unknown;
  readonly topic: string;
}

/** When a message is heard, by whom it was asked for, and which of a test's messages it is. */
export interface Arrival {
  readonly time?: Date | undefined;
  readonly actor?: string | undefined;
  readonly number?: number;
}

/** The moment at which tests without a clock take place. */
export const givenTime = Date.UTC(2000, 0);

/** @throws {Failure} CONTRACT_REJECTED when the data does not fit. */
export function storedMessage(message: Message<string, unknown>): Stored {
  const contract = contractDeclaration(message);
  const accepted = contract.accept(message.data);
  return {
    key: contract.keyOf(accepted),
    type: contract.type,
    version: contract.version,
    data: JSON.parse(contract.textOf(accepted)) as unknown,
    topic: contract.topic?.name ?? "commands",
  };
}

/** A message as a handler gets it. */
export function receivedMessage(
  { key, type, version, data, topic }: Stored,
  { time = new Date(givenTime), actor, number = 0 }: Arrival = {},
): Received<string, unknown> {
  const id = `00dc6acf-ac00-7000-8000-${String(number).padStart(12, "0")}`;
  return {
    ...{ type, data, id, key, time, source: "outside", topic, version, correlationId: id, hops: 0 },
    ...(actor === undefined ? {} : { actor }),
  };
}
