import { randomBytes } from "node:crypto";

/** Real servers, for the tests of a file. */
export interface TrialServers {
  /** A URL for PostgreSQL; `host:port,host:port` for Kafka. */
  readonly address: string;
  /** Where a "secure-kafka" takes TLS with a user and a password (SCRAM-SHA-512). */
  readonly secure: TrialAccess | undefined;
  /** Those that may be disturbed: of servers that nobody else uses, which this run has started. */
  readonly machines: readonly string[];
  /** Resolves when it is done; a machine that starts answers then. */
  disturb(machine: string, act: "start" | "stop" | "kill" | "pause" | "resume"): Promise<void>;
  /** Stops servers of the file's own; shared ones go on until the run ends. */
  close(): Promise<void>;
}

/** How to reach what wants to know who is there; `ca` is a certificate to trust. */
export interface TrialAccess {
  readonly address: string;
  readonly ca: string;
  readonly username: string;
  readonly password: string;
}

/** What to ask for: a PostgreSQL, a Kafka of one broker, of three, or one that also wants to know who is there. */
type TrialKind = "postgres" | "kafka/1" | "kafka/3" | "secure-kafka";

/** What a keeper answers; see tools/services/keeper.ts. */
interface Answer {
  readonly address?: string;
  readonly machines?: readonly string[];
  readonly secure?: TrialAccess;
  readonly unavailable?: string;
}

/**
 * Servers that the run has started when the first file asked, shared by all files; or, to disturb them, the file's own.
 *
 * Where there are none and none can be started, the reason is printed and the answer is undefined: the file leaves its
 * tests out. Under CI=true that is an error.
 */
export async function trialServers(
  kind: TrialKind,
  whose: "shared" | "own" = "shared",
): Promise<TrialServers | undefined> {
  const own = whose === "own";
  const {
    address,
    machines = [],
    secure,
    unavailable,
  } = await ask(own ? `${kind}/own${randomBytes(4).toString("hex")}` : kind);
  if (address !== undefined)
    return {
      address,
      secure,
      machines: own ? machines : [],
      disturb,
      async close() {
        if (own && machines[0] !== undefined) await ask(`close/${machines[0]}`);
      },
    };
  if (process.env["CI"] === "true") throw new Error(`${kind}: ${unavailable}`);
  console.info(`skipped: no ${kind}: ${unavailable}`);
  return undefined;
}

async function disturb(machine: string, act: string): Promise<void> {
  const { unavailable } = await ask(`machine/${machine}/${act}`);
  if (unavailable !== undefined) throw new Error(`${machine} ${act}: ${unavailable}`);
}

async function ask(what: string): Promise<Answer> {
  const keeper = process.env["MILLRACE_TEST_SERVICES"];
  if (keeper === undefined) throw new Error("run it with vitest, whose global setup offers servers: tools/services");
  const response = await fetch(`${keeper}/${what}`, { method: "POST" });
  return (await response.json()) as Answer;
}
