import type { Chance } from "./chance.js";
import type { StoredFacts } from "./facts.js";

/** What a process is told to open. */
export type Place =
  | { readonly engine: "embedded"; readonly dir: string }
  | {
      readonly engine: "postgres" | "kafka+postgres";
      /** A URL: of a proxy that loses answers. */
      readonly postgres: string;
      /** `host:port,host:port`; empty without Kafka. */
      readonly kafka: string;
      /** Put before the names of topics. */
      readonly prefix: string;
    };

/** Says what is left to do, in words; nothing at rest. */
export interface RestWatch {
  left(): Promise<readonly string[]>;
  close(): Promise<void>;
}

/** What a campaign's processes work on: where they are told to, what the auditor reads there, and what can happen to it. */
export interface Ground {
  readonly place: Place;
  /** How much longer it takes than with a file until a process works. */
  readonly pace: number;
  /** How many more processes than usual may come at a time. */
  readonly joiners: number;
  /** The process that commits for others too; -1 where there is none. */
  owner(): number;
  watch(): Promise<RestWatch>;
  facts(): Promise<StoredFacts>;
  /** Has something happen to the servers; undefined when there are none, or something is happening already. */
  upset(chance: Chance): Promise<void> | undefined;
  /** What has happened to them so far: how often, by name. */
  upsets(): Readonly<Record<string, number>>;
  /** Everything is up, and no answer is lost any more. */
  calm(): Promise<void>;
  close(): Promise<void>;
}
