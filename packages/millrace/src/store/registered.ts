import { decodeSubscriptions, type Subscriptions } from "./rows.js";

/** A row of mr_consumers. */
export interface ConsumerRow {
  readonly consumer: string;
  readonly service: string;
  readonly topics: string;
}

/** A registered consumer, and what it hears. */
export interface RegisteredConsumer {
  readonly consumer: string;
  readonly service: string;
  readonly topics: Subscriptions;
}

/** The consumer of a row, without topics that it does not hear any more. */
export function decodeRegistered({ consumer, service, topics }: ConsumerRow): RegisteredConsumer {
  return { consumer, service, topics: decodeSubscriptions(topics).filter(({ types }) => types.length > 0) };
}

/** The types that a consumer hears, by topic. */
export function heardTypes(registered: RegisteredConsumer | undefined): ReadonlyMap<string, ReadonlySet<string>> {
  return new Map(registered?.topics.map(({ topic, types }) => [topic, new Set(types)]));
}
