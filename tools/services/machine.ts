/** One server that can be made to fail: a database, or one broker of a cluster. */
export interface Machine {
  readonly name: string;
  /** Resolves when it answers. */
  start(): Promise<void>;
  /** As an administrator would. */
  stop(): Promise<void>;
  /** SIGKILL of all its processes. */
  kill(): Promise<void>;
  /** SIGSTOP of all its processes: connections stay open, and nothing answers. */
  pause(): Promise<void>;
  resume(): Promise<void>;
}

/** What can be done to a machine by name. */
export const acts = ["start", "stop", "kill", "pause", "resume"] as const;

/** One of {@link acts}. */
export type Act = (typeof acts)[number];

/** How to reach what wants to know who is there; `ca` is a certificate to trust. */
export interface Secure {
  readonly address: string;
  readonly ca: string;
  readonly username: string;
  readonly password: string;
}

/** Servers of one kind, ready to be used. */
export interface Servers {
  /** `local`: processes of this machine that were started for the purpose. */
  readonly origin: "environment" | "compose" | "local";
  /** A URL for PostgreSQL; `host:port,host:port` for Kafka. */
  readonly address: string;
  /** Where a Kafka takes TLS with a user and a password (SCRAM-SHA-512), if it was asked for. */
  readonly secure?: Secure | undefined;
  /** Empty where the servers are others', who are not to be disturbed. */
  readonly machines: readonly Machine[];
  /** Stops them, and removes what they have stored. */
  close(): Promise<void>;
}

/** Why there are no servers. Under CI=true this fails the run, elsewhere what needs them is left out. */
export class Unavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "Unavailable";
  }
}
