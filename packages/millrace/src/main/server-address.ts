import { Failure } from "../failure/failure.js";

/** A database of PostgreSQL, and the schema of Millrace's tables in it. */
export interface PostgresAddress {
  readonly type: "postgres";
  /** Of the environment, that has it. */
  readonly variable: string;
  /** Without Millrace's own parameters, for the package `pg`. */
  readonly url: string;
  readonly schema: string | undefined;
  readonly poolMax: number;
}

/** A cluster of Kafka. */
export interface KafkaAddress {
  readonly type: "kafka";
  readonly brokers: readonly string[];
  readonly tls: boolean;
  readonly sasl: { readonly mechanism: string; readonly username: string; readonly password: string } | undefined;
  readonly prefix: string | undefined;
  readonly replicationFactor: number | undefined;
  readonly minInsyncReplicas: number | undefined;
  readonly compression: string | undefined;
}

const poolMaxDefault = 16;

/**
 * `postgres://user:password@host:port/database?schema=…&pool=16`, and what else `pg` takes, like `sslmode`.
 *
 * @throws {Failure} OPTION_INVALID
 */
export function postgresAddress(variable: string, text: string): PostgresAddress {
  const form = "write it like postgres://user:password@host:5432/database";
  if (!/^postgres(ql)?:\/\//i.test(text)) throw invalid(variable, `does not begin with postgres://; ${form}`);
  const url = urlOf(variable, text, form);
  if (url.pathname.length < 2) throw invalid(variable, `names no database; ${form}`);
  const schema = url.searchParams.get("schema") ?? undefined;
  const pool = url.searchParams.get("pool");
  url.searchParams.delete("schema");
  url.searchParams.delete("pool");
  const poolMax = pool === null ? poolMaxDefault : wholeNumber(variable, "pool", pool);
  if (poolMax < 4) throw invalid(variable, "has a pool of fewer than 4 connections");
  return { type: "postgres", variable, url: url.href, schema, poolMax };
}

// kafka-url = "kafka://" [ user ":" password "@" ] host ":" port *( "," host ":" port ) [ "/" ] [ "?" parameters ]
const kafkaForm = /^kafka:\/\/(?:([^@/]*)@)?([^/?@]+)\/?(?:\?(.*))?$/i;
const brokerForm = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/i;
const mechanisms = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];
const parameters = ["tls", "sasl", "prefix", "replicationFactor", "minInsyncReplicas", "compression"];

/**
 * `kafka://user:password@host:9092,host2:9092?tls=true&sasl=scram-sha-512&prefix=staging.`
 *
 * @throws {Failure} OPTION_INVALID
 */
export function kafkaAddress(text: string): KafkaAddress {
  const [, user, hosts, query] = kafkaForm.exec(text) ?? [];
  const brokers = (hosts ?? "").split(",").map((host) => host.trim());
  if (hosts === undefined || brokers.some((broker) => !brokerForm.test(broker)))
    throw invalid("MILLRACE_LOG", "is no address of Kafka; write it like kafka://host:9092,host2:9092");
  const given = new URLSearchParams(query);
  for (const name of given.keys())
    if (!parameters.includes(name))
      throw invalid("MILLRACE_LOG", `has a parameter ${name} that does not exist; there are ${parameters.join(", ")}`);
  const number = (name: string) => {
    const value = given.get(name);
    return value === null ? undefined : wholeNumber("MILLRACE_LOG", name, value);
  };
  const tls = given.get("tls") ?? "false";
  if (tls !== "true" && tls !== "false") throw invalid("MILLRACE_LOG", "has a tls that is neither true nor false");
  return {
    type: "kafka",
    brokers: brokers.map((broker) => (/:\d+$/.test(broker) ? broker : `${broker}:9092`)),
    tls: tls === "true",
    sasl: saslOf(user, given.get("sasl")),
    prefix: given.get("prefix") ?? undefined,
    replicationFactor: number("replicationFactor"),
    minInsyncReplicas: number("minInsyncReplicas"),
    compression: given.get("compression") ?? undefined,
  };
}

function saslOf(user: string | undefined, given: string | null): KafkaAddress["sasl"] {
  if (user === undefined) {
    if (given === null) return undefined;
    throw invalid("MILLRACE_LOG", "has sasl, but no user: kafka://user:password@host:9092");
  }
  const mechanism = (given ?? "PLAIN").toUpperCase();
  if (!mechanisms.includes(mechanism))
    throw invalid("MILLRACE_LOG", `has a sasl that is none of ${mechanisms.join(", ").toLowerCase()}`);
  const [username = "", password = ""] = user.split(":");
  try {
    return { mechanism, username: decodeURIComponent(username), password: decodeURIComponent(password) };
  } catch {
    throw invalid("MILLRACE_LOG", "has a user or password with a % that begins no code; write % itself as %25");
  }
}

function urlOf(variable: string, text: string, form: string): URL {
  try {
    return new URL(text);
  } catch {
    // The cause would repeat the text, which may hold a password.
    throw invalid(
      variable,
      `is no URL; ${form}. Characters like @, / and # of a password are written as %40, %2F and %23`,
    );
  }
}

function wholeNumber(variable: string, name: string, value: string): number {
  if (!/^\d{1,6}$/.test(value) || Number(value) < 1)
    throw invalid(variable, `has a ${name} that is no whole number from 1 on`);
  return Number(value);
}

/** The value may hold a password: it is not repeated. */
function invalid(variable: string, why: string): Failure {
  return new Failure("OPTION_INVALID", `${variable} ${why}`, { details: { option: variable } });
}
