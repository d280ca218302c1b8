import { composedKafka, composedPostgres, composeRuns } from "./compose.js";
import { localKafka } from "./kafka.js";
import { type Servers, Unavailable } from "./machine.js";
import { localPostgres } from "./postgres.js";

export { type Act, acts, type Machine, type Servers, Unavailable } from "./machine.js";

/** Real servers for tests, benchmarks and hands. Each is started when its name is first asked for, and handed out again after that. */
export interface Services {
  /** @throws {Unavailable} when there is none, and none can be started. */
  postgres(name?: string): Promise<Servers>;
  /**
   * A cluster of at least so many brokers.
   *
   * @throws {Unavailable} when there is none, and none can be started.
   */
  kafka(brokers?: number, name?: string): Promise<Servers>;
  /** One broker of our own, which also takes TLS with a user and a password. */
  secureKafka(): Promise<Servers>;
  /** All that were handed out. */
  running(): Promise<readonly Servers[]>;
  /** Stops what was started. */
  close(): Promise<void>;
}

/**
 * Finds servers in this order: those that MILLRACE_TEST_POSTGRES and MILLRACE_TEST_KAFKA name; containers, where an engine
 * runs; programs of this machine, which under CI=true are installed if they are missing.
 */
export function openServices(): Services {
  const open = new Map<string, Promise<Servers>>();
  let compose: Promise<boolean> | undefined;
  const once = (name: string, start: () => Promise<Servers>) => {
    const known = open.get(name) ?? start();
    open.set(name, known);
    return known;
  };
  const inContainers = () => {
    compose ??= composeRuns();
    return compose;
  };
  const running = async () =>
    (await Promise.allSettled(open.values())).flatMap((found) => (found.status === "fulfilled" ? [found.value] : []));
  return {
    postgres: (name = "shared") =>
      once(`postgres ${name}`, async () => {
        const found = named("MILLRACE_TEST_POSTGRES");
        return found ?? ((await inContainers()) ? composedPostgres(name) : localPostgres(name));
      }),
    kafka: (brokers = 1, name = open.has("kafka shared3") ? "shared3" : `shared${brokers}`) =>
      once(`kafka ${name}`, async () => {
        const found = named("MILLRACE_TEST_KAFKA");
        const wanted = { name, brokers };
        if (found === undefined) return (await inContainers()) ? composedKafka(wanted) : localKafka(wanted);
        if (found.address.split(",").length >= brokers) return found;
        throw new Unavailable(`MILLRACE_TEST_KAFKA names ${found.address}: ${brokers} brokers are needed`);
      }),
    secureKafka: () => once("kafka secure", () => localKafka({ name: "secure", brokers: 1, secure: true })),
    running,
    async close() {
      await Promise.all((await running()).map((servers) => servers.close()));
      open.clear();
    },
  };
}

function named(variable: string): Servers | undefined {
  const address = process.env[variable];
  if (address === undefined || address === "") return undefined;
  return { origin: "environment", address, machines: [], close: () => Promise.resolve() };
}
